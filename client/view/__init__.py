"""The page that shows a slide's results, `histoserve view`.

OUT… ─ find ─▶ results ─ slides ─▶ slides ─┬─ background ─▶ JPEG tiles   (slide_tiles, overview)
                                           ├─ opened ─────▶ PNG tiles    (layers/)
                                           └─ description ▶ JSON         (beside: of two)
guard (who, entry) ─▶ app ─▶ pages (page/), answers (JSON, tiles)

It knows no pipeline by name and writes nothing but its cache. `l0_` are level-0 px of the whole slide.
"""
