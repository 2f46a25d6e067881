import { useMutation, useQuery } from "convex/react";
import { useState } from "react";
import { api } from "../../{{functions}}/_generated/api";
import { auth } from "../auth";
import { messageOf } from "../errors";
import { here } from "../here";
import { useForm } from "../useForm";
import { CodeField, EmailField, PasswordField } from "./Fields";

export function Account({ email }: { email: string | null }) {
  const accounts = useQuery(api.auth.accounts, {}) ?? [];
  const hasPassword = accounts.some(({ provider }) => provider === "password");
  return (
    <>
      <Sessions />
      <Accounts accounts={accounts} />
      {hasPassword && <ChangePassword />}
      <ChangeEmail email={email} hasPassword={hasPassword} />
      <DeleteAccount hasPassword={hasPassword} />
    </>
  );
}

type AccountInfo = { provider: string; name: string; isVerified: boolean };

function Accounts({ accounts }: { accounts: AccountInfo[] }) {
  const providers = useQuery(api.auth.providers, {}) ?? [];
  const unlink = useMutation(api.auth.unlinkAccount);
  const [error, setError] = useState("");
  const refused = (reason: unknown) => setError(messageOf(reason));
  const others = providers.filter(
    ({ id, kind }) => kind === "oauth" && !accounts.some(({ provider }) => provider === id),
  );
  return (
    <section className="card">
      <h2>Ways to sign in</h2>
      <ul>
        {accounts.map(({ provider, name, isVerified }) => (
          <li key={`${provider} ${name}`}>
            <span>
              {provider}: {name} {!isVerified && <em>(not verified)</em>}
            </span>
            {accounts.some((other) => other.provider !== provider) && (
              <button aria-label={`Remove ${provider}`} onClick={() => void unlink({ provider }).catch(refused)}>
                Remove
              </button>
            )}
          </li>
        ))}
      </ul>
      <p className="row">
        {others.map(({ id, name }) => (
          <button key={id} onClick={() => void auth.signIn(id, { link: true, redirectTo: here() }).catch(refused)}>
            Add {name}
          </button>
        ))}
      </p>
      <p role="alert">{error}</p>
    </section>
  );
}

function Sessions() {
  const sessions = useQuery(api.auth.sessions, {}) ?? [];
  const end = useMutation(api.auth.endSession);
  const endAll = useMutation(api.auth.signOutEverywhere);
  return (
    <section className="card">
      <h2>Where you are signed in</h2>
      <ul>
        {sessions.map(({ id, isCurrent, startedTime, userAgent }) => (
          <li key={id}>
            <span>
              {isCurrent ? <strong>This browser</strong> : browserOf(userAgent)}
              <small>since {new Date(startedTime).toLocaleString()}</small>
            </span>
            {!isCurrent && <button onClick={() => void end({ sessionId: id })}>Sign out</button>}
          </li>
        ))}
      </ul>
      <p className="row">
        <button onClick={() => void endAll({ keepCurrent: true })} disabled={sessions.length < 2}>
          Sign out all others
        </button>
        <button onClick={() => void endAll({})}>Sign out everywhere</button>
      </p>
    </section>
  );
}

function browserOf(userAgent: string): string {
  const found = /(Firefox|Edg|Chrome|Safari)\/\d+/.exec(userAgent)?.[1];
  return found === undefined ? userAgent.slice(0, 40) || "Another browser" : found.replace("Edg", "Edge");
}

function ChangePassword() {
  const [done, setDone] = useState(false);
  const form = useForm(async ({ currentPassword, newPassword }) => {
    setDone(false);
    await auth.call("action", "changePassword", { currentPassword, newPassword });
    setDone(true);
  });
  return (
    <form className="card" onSubmit={form.onSubmit}>
      <h2>Change the password</h2>
      <PasswordField label="Current password" name="currentPassword" />
      <PasswordField label="New password" name="newPassword" fresh />
      <p role="alert">{form.error}</p>
      <p role="status">{done && "The password is changed. Other browsers are signed out."}</p>
      <button type="submit" disabled={form.busy}>
        Change it
      </button>
    </form>
  );
}

function ChangeEmail({ email, hasPassword }: { email: string | null; hasPassword: boolean }) {
  const [sentTo, setSentTo] = useState<string | null>(null);
  const form = useForm(async (fields) => {
    if (sentTo !== null) {
      await auth.call("action", "changeEmail", { email: sentTo, code: fields.code });
      setSentTo(null);
    } else {
      await auth.call("action", "changeEmail", fields);
      setSentTo(fields.email ?? "");
    }
  });
  return (
    <form className="card" onSubmit={form.onSubmit} key={sentTo}>
      <h2>Change the address</h2>
      {sentTo === null ? (
        <>
          <p className="soft">It is {email ?? "not known"}.</p>
          <EmailField />
          {hasPassword && <PasswordField label="Password, to confirm" name="currentPassword" />}
        </>
      ) : (
        <>
          <p>We have sent mail to {sentTo}.</p>
          <CodeField />
        </>
      )}
      <p role="alert">{form.error}</p>
      <button type="submit" disabled={form.busy}>
        {sentTo === null ? "Send a code" : "Confirm"}
      </button>
    </form>
  );
}

function DeleteAccount({ hasPassword }: { hasPassword: boolean }) {
  const form = useForm(async (fields) => {
    await auth.call("action", "deleteAccount", fields);
    await auth.signOut();
  });
  return (
    <form className="card" onSubmit={form.onSubmit}>
      <h2>Delete the account</h2>
      <p className="soft">With all notes, at once.</p>
      {hasPassword && <PasswordField label="Password, to delete" name="currentPassword" />}
      <p role="alert">{form.error}</p>
      <button type="submit" className="alarming" disabled={form.busy}>
        Delete it
      </button>
    </form>
  );
}
