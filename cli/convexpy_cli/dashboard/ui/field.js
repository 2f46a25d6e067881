// A field of a form. What is typed stays here: an update of the page never takes it away.
export default {
  props: {
    label: String,
    value: {},
    kind: { type: String, default: "text" },
    options: { type: Array, default: () => [] },
    placeholder: String,
    hint: String,
    error: String,
    mono: Boolean,
    bare: Boolean,
    rows: Number,
    readonly: Boolean,
  },
  emits: ["update:value", "enter"],
  data() {
    return { text: this.value, id: `field-${Math.random().toString(36).slice(2)}` };
  },
  watch: {
    value(value) {
      this.text = value;
    },
  },
  computed: {
    shared() {
      return {
        id: this.id,
        placeholder: this.placeholder || null,
        readonly: this.readonly || null,
        class: { mono: this.mono },
        autocomplete: "off",
        spellcheck: "false",
        "aria-label": this.bare ? this.label : null,
        "aria-invalid": this.error ? "true" : null,
        "aria-describedby": this.error || this.hint ? `${this.id}-about` : null,
      };
    },
  },
  methods: {
    changed(value) {
      this.text = value;
      this.$emit("update:value", value);
    },
  },
  template: `
    <div class="field" :class="kind">
      <label v-if="kind === 'checkbox'" class="check">
        <input type="checkbox" :id="id" :checked="text" @change="changed($event.target.checked)">
        <span>{{ label }}</span>
      </label>
      <template v-else>
        <label v-if="!bare" :for="id">{{ label }}</label>
        <select v-if="kind === 'select'" v-bind="shared" :value="text" @change="changed($event.target.value)">
          <option v-for="each in options" :key="each.value" :value="each.value">{{ each.text }}</option>
        </select>
        <textarea v-else-if="kind === 'area'" v-bind="shared" :rows="rows" :value="text"
          @input="changed($event.target.value)" @keydown.ctrl.enter="$emit('enter')" @keydown.meta.enter="$emit('enter')"
        ></textarea>
        <input v-else v-bind="shared" :type="kind" :value="text"
          @input="changed($event.target.value)" @keydown.enter="$emit('enter')">
      </template>
      <p v-if="error" :id="id + '-about'" class="field-error" role="alert">{{ error }}</p>
      <p v-else-if="hint" :id="id + '-about'" class="field-hint">{{ hint }}</p>
    </div>`,
};
