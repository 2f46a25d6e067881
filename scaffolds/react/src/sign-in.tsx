import { ConvexProvider } from "convex/react";
import { createContext, use, useState, type FormEvent, type ReactNode } from "react";
import { convex } from "./convex";

/** Whether somebody is here. `author` goes with every call that needs to know who makes it. */
export type SignIn =
  | { state: "loading" }
  | { state: "out" }
  | { state: "in"; author?: string; leave: () => void };

const NameContext = createContext<{ name: string | null; setName: (name: string | null) => void }>({
  name: null,
  setName: () => {},
});

/** Everything below it can talk to the deployment and use `useSignIn`. */
export function SignInProvider({ children }: { children: ReactNode }) {
  // Of the session, so that two windows can be two people.
  const [name, keepName] = useState(() => sessionStorage.getItem("name"));
  const setName = (next: string | null) => {
    if (next === null) sessionStorage.removeItem("name");
    else sessionStorage.setItem("name", next);
    keepName(next);
  };
  const context = { name, setName };
  return (
    <ConvexProvider client={convex}>
      <NameContext value={context}>{children}</NameContext>
    </ConvexProvider>
  );
}

/** Who is here: here a name is enough. */
export function useSignIn(): SignIn {
  const { name, setName } = use(NameContext);
  return name === null ? { state: "out" } : { state: "in", author: name, leave: () => setName(null) };
}

/** What is shown to those who are not signed in. */
export function Entrance() {
  const { setName } = use(NameContext);
  const enter = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    const name = String(new FormData(event.currentTarget).get("name")).trim();
    if (name !== "") setName(name);
  };
  return (
    <form className="entrance" onSubmit={enter}>
      <label htmlFor="name">Your name</label>
      <input
        id="name"
        name="name"
        autoComplete="nickname"
        maxLength={40}
        pattern=".*[^#\s].*"
        required
        autoFocus
      />
      <button type="submit">Enter</button>
    </form>
  );
}
