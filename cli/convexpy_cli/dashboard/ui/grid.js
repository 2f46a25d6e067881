// A table whose rows open, can be chosen, and have actions. All texts are escaped by Vue.
export default {
  props: {
    label: String,
    columns: { type: Array, default: () => [] },
    rows: { type: Array, default: () => [] },
    sorted: { type: Object, default: () => ({}) },
    openable: Boolean,
    opener: { type: Number, default: 0 },
    choosable: Boolean,
  },
  emits: ["open", "sort", "choose", "act"],
  data() {
    return { chosen: [] };
  },
  watch: {
    rows(rows) {
      const there = new Set(rows.map((row) => row.key));
      const kept = this.chosen.filter((key) => there.has(key));
      if (kept.length !== this.chosen.length) this.choose(kept);
    },
  },
  computed: {
    all() {
      return this.rows.length > 0 && this.chosen.length === this.rows.length;
    },
    acting() {
      return this.rows.some((row) => row.actions.length);
    },
  },
  methods: {
    choose(keys) {
      this.chosen = keys;
      this.$emit("choose", keys);
    },
    toggle(key) {
      this.choose(this.chosen.includes(key) ? this.chosen.filter((each) => each !== key) : [...this.chosen, key]);
    },
    toggleAll() {
      this.choose(this.all ? [] : this.rows.map((row) => row.key));
    },
    clear() {
      this.choose([]);
    },
    pressed(event, row) {
      if (!this.openable || event.target.closest("a, button, input") || getSelection().toString()) return;
      this.$emit("open", row.key);
    },
    direction(column) {
      if (this.sorted.by !== column.name) return column.sortable ? "none" : null;
      return this.sorted.order === "asc" ? "ascending" : "descending";
    },
    look(index) {
      return this.columns[index]?.look;
    },
  },
  template: `
    <div class="grid" role="region" :aria-label="label" tabindex="0">
      <table :class="{ openable }">
        <thead><tr>
          <th v-if="choosable" class="pick" scope="col"><input type="checkbox" aria-label="Select all rows" :checked="all" @change="toggleAll"></th>
          <th v-for="column in columns" :key="column.name" :class="column.look" :aria-sort="direction(column)" scope="col">
            <button v-if="column.sortable" type="button" @click="$emit('sort', column.name)">{{ column.label }}<span
              class="arrow" aria-hidden="true">{{ sorted.by !== column.name ? "" : sorted.order === "asc" ? "↑" : "↓" }}</span></button>
            <template v-else>{{ column.label }}</template>
          </th>
          <th v-if="acting" class="acts" scope="col"><span class="unseen">Actions</span></th>
        </tr></thead>
        <tbody>
          <tr v-for="row in rows" :key="row.key" :class="[row.tone, { chosen: chosen.includes(row.key) }]" @click="pressed($event, row)">
            <td v-if="choosable" class="pick"><input type="checkbox" :aria-label="'Select ' + row.key" :checked="chosen.includes(row.key)" @change="toggle(row.key)"></td>
            <td v-for="(cell, index) in row.cells" :key="index" :class="look(index)" :title="cell.title || null">
              <img v-if="cell.image" class="thumb" :src="cell.image" :alt="cell.text" loading="lazy">
              <button v-else-if="openable && index === opener" type="button" class="open" @click="$emit('open', row.key)">{{ cell.text }}</button>
              <a v-else-if="cell.href" :href="cell.href" :class="cell.tone">{{ cell.text }}</a>
              <span v-else :class="cell.tone">{{ cell.text }}</span>
            </td>
            <td v-if="acting" class="acts">
              <button v-for="action in row.actions" :key="action" type="button" class="button small"
                :aria-label="action + ' ' + row.cells[0].text" @click="$emit('act', row.key, action)">{{ action }}</button>
            </td>
          </tr>
        </tbody>
      </table>
    </div>`,
};
