// A line chart or bars in SVG, which takes its colours from the page; the values under the pointer are shown above it.
const WIDTH = 600, HEIGHT = 130, TOP = 8, BOTTOM = 20, LEFT = 44;

export default {
  props: {
    title: String,
    unit: { type: String, default: "" },
    bars: Boolean,
    times: { type: Array, default: () => [] },
    series: { type: Array, default: () => [] },
    from: Number,
    until: Number,
    step: Number,
  },
  data() {
    return { at: null };
  },
  computed: {
    most() {
      const most = Math.max(0, ...this.series.flatMap((each) => each.values));
      if (most <= 0) return 1;
      const unit = 10 ** Math.floor(Math.log10(most));
      return [1, 2, 2.5, 5, 10].map((each) => each * unit).find((each) => each >= most);
    },
    ticks() {
      return [0, 0.5, 1].map((share) => ({ y: this.y(share * this.most), text: this.shown(share * this.most) }));
    },
    summary() {
      const parts = this.series.map((each) => `${each.name}: ${this.shown(each.values.at(-1) ?? 0)}, at most ${this.shown(Math.max(0, ...each.values))}`);
      return `${this.title}. ${this.times.length ? parts.join("; ") : "No values yet"}`;
    },
    hours() {
      const marks = [];
      for (let share = 0; share <= 4; share += 1) {
        const time = this.from + ((this.until - this.from) * share) / 4;
        marks.push({ x: this.x(time), text: this.clock(time), anchor: share === 0 ? "start" : share === 4 ? "end" : "middle" });
      }
      return marks;
    },
  },
  methods: {
    x(time) {
      return LEFT + ((time - this.from) / Math.max(this.until - this.from, 1)) * (WIDTH - LEFT);
    },
    y(value) {
      return TOP + (1 - value / this.most) * (HEIGHT - TOP - BOTTOM);
    },
    clock(time) {
      return new Date(time).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit", hour12: false });
    },
    shown(value) {
      const text = value >= 100 || Number.isInteger(value) ? Math.round(value).toLocaleString("en") : value.toPrecision(2);
      return this.unit === "%" ? `${text} %` : this.unit ? `${text} ${this.unit}` : text;
    },
    line(values) {
      let text = "";
      values.forEach((value, index) => {
        const gap = index === 0 || this.times[index] - this.times[index - 1] > this.step * 1.5;
        text += `${gap ? "M" : "L"}${this.x(this.times[index]).toFixed(1)} ${this.y(value).toFixed(1)}`;
        if (gap) text += "h.01";
      });
      return text;
    },
    width() {
      return Math.max(this.x(this.from + this.step) - LEFT - 1.5, 1.5);
    },
    pointed(event) {
      const box = this.$refs.drawing.getBoundingClientRect();
      const time = this.from + (((event.clientX - box.left) / box.width) * WIDTH - LEFT) / (WIDTH - LEFT) * (this.until - this.from);
      let nearest = null;
      this.times.forEach((each, index) => {
        if (nearest === null || Math.abs(each - time) < Math.abs(this.times[nearest] - time)) nearest = index;
      });
      this.at = nearest;
    },
  },
  template: `
    <figure class="chart">
      <figcaption>
        <span class="title">{{ title }}</span>
        <span class="legend" v-for="each in series" :key="each.name"><i :class="each.tone"></i>{{ each.name }}
          <b v-if="times.length">{{ shown(each.values[at ?? each.values.length - 1] ?? 0) }}</b></span>
        <span v-if="at !== null && times[at]" class="when">{{ clock(times[at]) }}</span>
      </figcaption>
      <svg ref="drawing" viewBox="0 0 600 130" role="img" :aria-label="summary" @pointermove="pointed" @pointerleave="at = null" preserveAspectRatio="none">
        <g v-for="tick in ticks"><line class="rule" x1="44" x2="600" :y1="tick.y" :y2="tick.y" /></g>
        <template v-if="bars" v-for="each in series">
          <rect v-for="(value, index) in each.values" :class="each.tone" :x="x(times[index])" :width="width()" :y="y(value)" :height="Math.max(y(0) - y(value), 0)" />
        </template>
        <template v-else><path v-for="each in series" :class="each.tone" :d="line(each.values)" fill="none" vector-effect="non-scaling-stroke" /></template>
        <line v-if="at !== null && times[at]" class="cursor" :x1="x(times[at])" :x2="x(times[at])" y1="8" y2="110" vector-effect="non-scaling-stroke" />
      </svg>
      <div class="scale" aria-hidden="true"><span v-for="tick in ticks" :style="{ top: (tick.y / 130) * 100 + '%' }">{{ tick.text }}</span></div>
      <div class="hours" aria-hidden="true"><span v-for="mark in hours">{{ mark.text }}</span></div>
    </figure>`,
};
