import { useConvexAuth, useQuery } from "convex/react";
import { useEffect, useState } from "react";
import { api } from "../{{functions}}/_generated/api";
import { auth, useAuthState } from "./auth";
import { Account } from "./components/Account";
import { Notes } from "./components/Notes";
import { SignIn } from "./components/SignIn";
import { messageOf } from "./errors";

export function App() {
  const { status, error } = useAuthState();
  const { isAuthenticated, isLoading } = useConvexAuth();
  const me = useQuery(api.users.me, isAuthenticated ? {} : "skip");
  const [page, setPage] = useState<"notes" | "account">("notes");

  // The session may end elsewhere, long before the token does: then the deployment knows nobody any more.
  useEffect(() => {
    if (me === null) void auth.check();
  }, [me]);

  return (
    <div className="app">
      <header>
        <h1>{document.title}</h1>
        {me && (
          <nav aria-label="Pages">
            <button aria-pressed={page === "notes"} onClick={() => setPage("notes")}>
              Notes
            </button>
            <button aria-pressed={page === "account"} onClick={() => setPage("account")}>
              Account
            </button>
            <button onClick={() => void auth.signOut()}>Sign out</button>
          </nav>
        )}
      </header>
      <main>
        <p role="alert">{error && messageOf(error)}</p>
        {status === "out" ? (
          <SignIn />
        ) : isLoading || !me ? (
          <p className="waiting">One moment…</p>
        ) : page === "notes" ? (
          <Notes name={me.name ?? me.email ?? "you"} />
        ) : (
          <Account email={me.email} />
        )}
      </main>
    </div>
  );
}
