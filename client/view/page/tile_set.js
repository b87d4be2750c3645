/** Whether a tile is one of those that `show` names. */
function isShown(tile, show) {
  if (show === "undecided") return tile.decision === "";
  if (show === "reason") return tile.reason !== "";
  return show === "all" || tile.decision === show;
}

/** The tiles as the file has them, and the one way to change it. */
export class TileSet {
  constructor(token) {
    this.token = token;
    this.list = [];
  }

  /** All of them anew; `{ trouble }` names what is in the way. */
  async load() {
    const answer = await this.ask("tiles.json");
    if (answer.tiles) this.list = answer.tiles;
    return answer;
  }

  /** Writes a decision; what the file then says is in the list, whoever wrote it. */
  async decide(tile, decision) {
    const { pair, tile: number, decision: was } = tile;
    const headers = { "Content-Type": "application/json", "X-Histoserve-Token": this.token };
    const body = JSON.stringify({ pair, tile: number, was, decision });
    const answer = await this.ask("decide", { method: "POST", headers, body });
    if (answer.tile) Object.assign(this.same(tile) ?? tile, answer.tile);
    return answer;
  }

  async ask(address, settings = {}) {
    try {
      const answer = await fetch(address, { ...settings, cache: "no-store" });
      if (answer.status === 403) return { trouble: "not-allowed" };
      if (answer.status !== 200 && answer.status !== 409) return { trouble: "failed" };
      const said = await answer.json();
      return answer.ok ? said : { ...said, trouble: said.code };
    } catch {
      return { trouble: "failed" };
    }
  }

  picture({ pair, tile }, stain) {
    return `t/${pair}/${tile}/${stain}.png`;
  }

  /** Of an address's `#at=pair,tile`. */
  at(hash) {
    const [pair, tile] = hash.replace("#at=", "").split(",").map(Number);
    return this.same({ pair, tile });
  }

  same({ pair, tile }) {
    return this.list.find((each) => each.pair === pair && each.tile === tile);
  }

  place(tile) {
    return this.list.indexOf(tile) + 1;
  }

  count(show) {
    return this.list.filter((tile) => isShown(tile, show)).length;
  }

  /** The next one that is shown, from the beginning again behind the last; undefined if there is none but this. */
  after(tile, show) {
    const from = this.list.indexOf(tile) + 1;
    return [...this.list.slice(from), ...this.list.slice(0, Math.max(0, from - 1))].find((each) => isShown(each, show));
  }

  before(tile, show) {
    const from = this.list.indexOf(tile);
    return [...this.list.slice(from + 1), ...this.list.slice(0, from)].reverse().find((each) => isShown(each, show));
  }
}
