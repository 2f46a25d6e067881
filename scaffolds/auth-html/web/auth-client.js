// Sign-in in the browser, for the functions that `Auth(…)` of convexpy.auth registers. It needs no framework and no package.
//
// Tokens are in localStorage, which all tabs of the app share. One tab at a time renews them; the others take what it has
// stored. When one tab signs out, all do.

const EARLY_MS = 30_000;
const RETRIES_MS = [500, 2_000, 5_000, 10_000, 30_000];

/** What a token says. Its lifetime counts, never its times: the clock of this machine may be wrong by hours. */
function lifetimeMs(token) {
  const payload = token.split(".")[1].replaceAll("-", "+").replaceAll("_", "/");
  const { iat, exp } = JSON.parse(atob(payload));
  return (exp - iat) * 1000;
}

const wait = (ms) => new Promise((done) => setTimeout(done, ms));

/** What a function refused: `data` is `{ code, message, … }`. */
export class AuthError extends Error {
  constructor(data) {
    super(data.message);
    this.name = "AuthError";
    this.data = data;
  }
}

export class AuthClient {
  #url;
  #path;
  #key;
  #storage;
  #listeners = new Set();
  #inThisTab = Promise.resolve();
  #state;

  /** `url` is the deployment; `path` the module with `Auth(…)`. */
  constructor(url, { path = "auth", storage = globalThis.localStorage } = {}) {
    this.#url = url.replace(/\/$/, "");
    this.#path = path;
    this.#storage = storage;
    this.#key = `convexpy-auth ${this.#url} ${path}`;
    this.#state = { status: this.#stored() ? "in" : "out", error: null };
    // ConvexProviderWithAuth and setAuth get the method alone.
    this.fetchAccessToken = this.fetchAccessToken.bind(this);
    this.subscribe = this.subscribe.bind(this);
    globalThis.addEventListener?.("storage", ({ key }) => {
      if (key === this.#key || key === null) this.#settle();
    });
    const given = new URLSearchParams(globalThis.location?.search ?? "");
    if (given.has("code") || given.has("error")) {
      this.#state = { ...this.#state, status: "loading" };
      this.ready = this.#arrive(given);
    } else {
      this.ready = Promise.resolve();
    }
  }

  /** `{ status: "loading" | "in" | "out", error }`; another object after each change. */
  get state() {
    return this.#state;
  }

  /** Have `listener` called after each change of `state`; returns what ends that. */
  subscribe(listener) {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /**
   * Sign in by a provider: `{ signedIn: true }`, `{ started: true }` when mail is on its way, or the browser leaves the page.
   */
  async signIn(provider, params = {}) {
    const result = await this.#begin(provider, this.#marked(params));
    if (result.redirect !== undefined) {
      sessionStorage.setItem(this.#key, result.verifier);
      globalThis.location.assign(result.redirect);
      return { redirected: true };
    }
    if (result.tokens) {
      this.#keep(result.tokens, null);
      return { signedIn: true };
    }
    return { started: true };
  }

  /** Sign out here and in all tabs of this browser; also when the deployment cannot be reached. */
  async signOut() {
    try {
      await this.call("action", "signOut");
    } catch {
      // It has ended already, or ends by itself.
    } finally {
      this.#keep(null, null);
    }
  }

  /** Call another function of sign-in, as who is signed in: `call("action", "changePassword", { … })`. */
  async call(kind, name, args = {}) {
    const token = await this.fetchAccessToken();
    return await this.#request(kind, name, args, token);
  }

  /** A token that is valid for a while, null if nobody is signed in. */
  async fetchAccessToken({ forceRefreshToken = false } = {}) {
    const before = this.#stored();
    if (before === null) return null;
    if (!forceRefreshToken && this.#isFresh(before)) return before.token;
    return await this.#alone(async () => {
      const now = this.#stored();
      if (now === null) return null;
      if (now.token !== before.token && this.#isFresh(now)) return now.token; // another tab was quicker
      return await this.#renewed(now);
    });
  }

  /** Ask whether the session goes on: after a query has shown that it does not. */
  async check() {
    await this.fetchAccessToken({ forceRefreshToken: true });
  }

  /**
   * Mark a sign-up, and the code that confirms it, as of this browser: the newest mail may be for a sign-up of somebody
   * else with the same address, and must not confirm their password.
   */
  #marked(params) {
    const key = `${this.#key} attempt`;
    if (params.flow === "signUp" || params.flow === "signIn") {
      const random = crypto.getRandomValues(new Uint8Array(16));
      this.#storage.setItem(key, Array.from(random, (byte) => byte.toString(16).padStart(2, "0")).join(""));
    }
    const attempt = this.#storage.getItem(key);
    const marks = attempt !== null && ["signUp", "signIn", "email-verification"].includes(params.flow);
    return marks ? { ...params, attempt } : params;
  }

  async #begin(provider, params) {
    const args = provider === undefined ? { params } : { provider, params };
    const token = params.link ? await this.fetchAccessToken() : null;
    return await this.#request("action", "signIn", args, token);
  }

  /** The page was opened with a code in its address: by a link in mail, or by the way back from a provider. */
  async #arrive(given) {
    const address = new URL(globalThis.location.href);
    address.searchParams.delete("code");
    address.searchParams.delete("error");
    globalThis.history.replaceState(globalThis.history.state, "", address);
    const verifier = sessionStorage.getItem(this.#key);
    sessionStorage.removeItem(this.#key);
    try {
      if (!given.has("code")) throw new AuthError({ code: given.get("error"), message: "The provider did not sign you in." });
      const args = { params: { code: given.get("code") }, ...(verifier === null ? {} : { verifier }) };
      const token = await this.fetchAccessToken();
      // Alone: linking ends the session from before, and nobody may renew its tokens meanwhile.
      await this.#alone(async () => {
        const result = await this.#request("action", "signIn", args, token);
        this.#keep(result.tokens, null);
      });
    } catch (error) {
      this.#settle(error);
    }
  }

  async #renewed({ refreshToken }) {
    for (let attempt = 0; ; attempt++) {
      try {
        const { tokens } = await this.#request("action", "signIn", { refreshToken }, null);
        if (this.#stored()?.refreshToken !== refreshToken) return this.#stored()?.token ?? null; // signed in or out meanwhile
        this.#keep(tokens);
        return tokens?.token ?? null;
      } catch (error) {
        if (error instanceof AuthError) throw error;
        // The network is away, or the deployment: nobody is signed out by that.
        await wait(RETRIES_MS[Math.min(attempt, RETRIES_MS.length - 1)]);
        if (this.#stored()?.refreshToken !== refreshToken) return this.#stored()?.token ?? null;
      }
    }
  }

  async #request(kind, name, args, token) {
    const response = await fetch(`${this.#url}/api/${kind}`, {
      method: "POST",
      headers: { "Content-Type": "application/json", ...(token === null ? {} : { Authorization: `Bearer ${token}` }) },
      body: JSON.stringify({ path: `${this.#path}:${name}`, args, format: "json" }),
    });
    const answer = await response.json();
    if (answer.status === "success") return answer.value;
    if (answer.errorData?.code !== undefined) throw new AuthError(answer.errorData);
    throw new Error(answer.errorMessage ?? answer.message ?? `the deployment answered ${response.status}`);
  }

  #isFresh({ token, receivedAt }) {
    const age = Date.now() - receivedAt;
    const lifetime = lifetimeMs(token);
    return age >= 0 && age < lifetime - Math.min(EARLY_MS, lifetime / 2);
  }

  #stored() {
    const text = this.#storage.getItem(this.#key);
    return text === null ? null : JSON.parse(text);
  }

  /** Store tokens, or that there are none. `error` is what to show: renewing tokens leaves it as it is. */
  #keep(tokens, error = this.#state.error) {
    if (tokens === null || tokens === undefined) this.#storage.removeItem(this.#key);
    else this.#storage.setItem(this.#key, JSON.stringify({ ...tokens, receivedAt: Date.now() }));
    this.#settle(error);
  }

  #settle(error = this.#state.error) {
    const status = this.#stored() === null ? "out" : "in";
    if (status === this.#state.status && error === this.#state.error) return;
    this.#state = { status, error };
    for (const listener of [...this.#listeners]) listener();
  }

  /** Run one at a time: in all tabs where the browser can (https and localhost), else in this one. */
  #alone(work) {
    const locks = globalThis.navigator?.locks;
    if (locks !== undefined) return locks.request(this.#key, work);
    const turn = this.#inThisTab.then(work, work);
    this.#inThisTab = turn.catch(() => {});
    return turn;
  }
}
