// React under jsdom with the official hooks, told what to do: commands as JSON lines on standard input, events on standard output.
// Every state that a component commits is an event of its name. Arguments: address, options of the client, "auth" for sign-in.
import { createInterface } from "node:readline";
import { JSDOM } from "jsdom";

const { window } = new JSDOM('<!doctype html><div id="root"></div>', { url: "http://localhost/", pretendToBeVisual: true });
for (const name of ["document", "WebSocket", "HTMLElement", "Node", "Event", "MutationObserver"]) globalThis[name] = window[name];
globalThis.window = window;
// Newer versions of Node have one of their own, which is no browser's.
Object.defineProperty(globalThis, "navigator", { value: window.navigator, configurable: true });

// Only now, since they look at what is global.
const { Component, createElement, useLayoutEffect, useSyncExternalStore } = await import("react");
const { createRoot } = await import("react-dom/client");
const convexReact = await import("convex/react");
const { ConvexClient, ConvexHttpClient } = await import("convex/browser");
const { makeFunctionReference } = await import("convex/server");
const { useAction, useConvexAuth, useMutation, usePaginatedQuery, useQuery } = convexReact;

const [, , url, options = "{}", auth] = process.argv;
const log = (event, value) => console.log(JSON.stringify({ event, value: value === undefined ? "undefined" : value }));
const failed = (error) => ({ error: error.message, data: error.data ?? null });
const logged = (promise, tag) => promise.then((value) => log(tag, { value }), (error) => log(tag, failed(error)));

const client = new convexReact.ConvexReactClient(url, { logger: false, ...JSON.parse(options) });

// A value that components follow.
const store = (value) => {
  const followers = new Set();
  const follow = (follower) => (followers.add(follower), () => followers.delete(follower));
  return {
    get: () => value,
    set: (next) => { value = next; followers.forEach((follower) => follower()); },
    use: () => useSyncExternalStore(follow, () => value),
  };
};
const mounted = store({});
const session = store({ isLoading: false, isAuthenticated: false, source: null });
const handles = {};

const useReport = (id, state, handle) => {
  useLayoutEffect(() => {
    handles[id] = handle; // before it is said that there is one
    log(id, state);
  });
};

const kinds = {
  query: ({ id, path, args }) => {
    useReport(id, useQuery(makeFunctionReference(path), args));
  },
  pages: ({ id, path, args, size }) => {
    const { results, status, loadMore } = usePaginatedQuery(makeFunctionReference(path), args, { initialNumItems: size });
    useReport(id, { status, results }, loadMore);
  },
  // Shows a list, and adds to it before the server does.
  list: ({ id, path, args, mutation }) => {
    const query = makeFunctionReference(path);
    const add = useMutation(makeFunctionReference(mutation)).withOptimisticUpdate((local, added) => {
      const present = local.getQuery(query, args);
      if (present !== undefined) local.setQuery(query, args, [...present, { body: added.body, optimistic: true }]);
    });
    useReport(id, useQuery(query, args), add);
  },
  action: ({ id, path }) => {
    useReport(id, "ready", useAction(makeFunctionReference(path)));
  },
  auth: ({ id }) => {
    const { isLoading, isAuthenticated, isRefreshing } = useConvexAuth();
    useReport(id, { isLoading, isAuthenticated, isRefreshing });
  },
};

class Boundary extends Component {
  state = {};
  static getDerivedStateFromError(error) { return { error }; }
  componentDidCatch(error) { log(`${this.props.id}:caught`, { ...failed(error), name: error.name }); }
  render() { return this.state.error ? "failed" : this.props.children; }
}

const Shown = (props) => (kinds[props.kind](props), props.id);

const App = () =>
  Object.values(mounted.use()).map((props) =>
    createElement(Boundary, { key: props.id, id: props.id }, createElement(Shown, props)),
  );

let fetched = 0;
const fetchAccessToken = async ({ forceRefreshToken }) => {
  const { source } = session.get();
  log("fetchToken", { forceRefreshToken });
  // A number of its own: two of one second would be the same token, and that is no fresh one.
  return source === null ? null : (await fetch(`${source}&jti=${fetched++}`)).text();
};
const useAuth = () => {
  const { isLoading, isAuthenticated } = session.use();
  return { isLoading, isAuthenticated, fetchAccessToken };
};
const provider = auth === "auth"
  ? createElement(convexReact.ConvexProviderWithAuth, { client, useAuth }, createElement(App))
  : createElement(convexReact.ConvexProvider, { client }, createElement(App));

const root = createRoot(window.document.getElementById("root"), { onCaughtError: () => {} });
root.render(provider);

// The other clients, with a token each.
const others = {
  http: async ({ path, args, token }) => {
    const http = new ConvexHttpClient(url);
    if (token) http.setAuth(token);
    return http.query(makeFunctionReference(path), args);
  },
  browser: async ({ path, args, token }) => {
    const browser = new ConvexClient(url, { logger: false });
    if (token) browser.setAuth(async () => token, (isAuthenticated) => log("browser:auth", { isAuthenticated }));
    try {
      return await browser.query(makeFunctionReference(path), args);
    } finally {
      await browser.close();
    }
  },
};

for await (const line of createInterface({ input: process.stdin })) {
  const { op, ...command } = JSON.parse(line);
  if (op === "show") mounted.set({ ...mounted.get(), [command.id]: command });
  if (op === "hide") mounted.set(Object.fromEntries(Object.entries(mounted.get()).filter(([id]) => id !== command.id)));
  if (op === "session") session.set(command);
  if (op === "call") logged(Promise.resolve(handles[command.id](command.args)), command.tag);
  if (op === "other") logged(others[command.client](command), command.tag);
  if (op === "html") log(command.tag, window.document.getElementById("root").textContent);
}
root.unmount();
await client.close();
process.exit(0);
