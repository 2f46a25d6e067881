import { useMutation, useQuery } from "convex/react";
import { api } from "../{{functions}}/_generated/api";
import { Chat } from "./components/Chat";
import { ConnectionState } from "./components/ConnectionState";
import { Entrance, useSignIn } from "./sign-in";

export function App() {
  const signIn = useSignIn();
  const author = signIn.state === "in" ? signIn.author : undefined;
  const me = useQuery(api.users.me, signIn.state === "in" ? { author } : "skip");
  const leaveChat = useMutation(api.users.leave);
  return (
    <div className="app">
      <header>
        <h1>{document.title}</h1>
        <ConnectionState />
        {signIn.state === "in" && me && (
          <p className="me">
            <span>{me}</span>{" "}
            <button
              onClick={() => {
                void leaveChat({ author });
                signIn.leave();
              }}
            >
              Leave
            </button>
          </p>
        )}
      </header>
      {signIn.state === "out" ? (
        <Entrance />
      ) : me ? (
        <Chat me={me} author={author} />
      ) : (
        <p className="waiting">One moment…</p>
      )}
    </div>
  );
}
