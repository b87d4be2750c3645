"""What a run leaves: `result.json`, `<pipeline>.geojson` and `overview.png`, all or none."""
