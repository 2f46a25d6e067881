import { useQuery } from "convex/react";
import { useState } from "react";
import { api } from "../../{{functions}}/_generated/api";
import { auth } from "../auth";
import { messageOf } from "../errors";
import { here } from "../here";
import { useForm } from "../useForm";
import { CodeField, EmailField, Field, PasswordField } from "./Fields";

/** What is shown: a form to begin with, or the one for a code that was sent to `email`. */
type Step =
  | { name: "signIn" | "signUp" | "reset" | "mail" }
  | { name: "verify" | "newPassword" | "code" | "sent"; email: string };

export function SignIn() {
  const [step, setStep] = useState<Step>({ name: "signIn" });
  return (
    <section className="card">
      <StepForm key={step.name} step={step} go={setStep} />
      {!("email" in step) && <OtherWays go={setStep} />}
    </section>
  );
}

function StepForm({ step, go }: { step: Step; go: (step: Step) => void }) {
  switch (step.name) {
    case "signIn":
      return <WithPassword go={go} />;
    case "signUp":
      return <SignUp go={go} />;
    case "reset":
      return <Reset go={go} />;
    case "mail":
      return <ByMail go={go} />;
    case "sent":
      return <p>A link is on its way to {step.email}. Open it in this browser.</p>;
    default:
      return <EnterCode step={step} />;
  }
}

function WithPassword({ go }: { go: (step: Step) => void }) {
  const form = useForm(async ({ email = "", password }) => {
    const result = await auth.signIn("password", { flow: "signIn", email, password });
    if (result.started) go({ name: "verify", email });
  });
  return (
    <form onSubmit={form.onSubmit}>
      <h2>Sign in</h2>
      <EmailField />
      <PasswordField />
      <p role="alert">{form.error}</p>
      <button type="submit" disabled={form.busy}>
        Sign in
      </button>
      <p className="row">
        <button type="button" className="link" onClick={() => go({ name: "signUp" })}>
          Create an account
        </button>
        <button type="button" className="link" onClick={() => go({ name: "reset" })}>
          Forgotten the password?
        </button>
      </p>
    </form>
  );
}

function SignUp({ go }: { go: (step: Step) => void }) {
  const form = useForm(async ({ email = "", password, name }) => {
    const result = await auth.signIn("password", { flow: "signUp", email, password, name });
    if (result.started) go({ name: "verify", email });
  });
  return (
    <form onSubmit={form.onSubmit}>
      <h2>Create an account</h2>
      <Field label="Name" name="name" autoComplete="name" />
      <EmailField />
      <PasswordField fresh />
      <p role="alert">{form.error}</p>
      <button type="submit" disabled={form.busy}>
        Create the account
      </button>
      <p className="row">
        <button type="button" className="link" onClick={() => go({ name: "signIn" })}>
          I have an account
        </button>
      </p>
    </form>
  );
}

function Reset({ go }: { go: (step: Step) => void }) {
  const form = useForm(async ({ email = "" }) => {
    await auth.signIn("password", { flow: "reset", email });
    go({ name: "newPassword", email });
  });
  return (
    <form onSubmit={form.onSubmit}>
      <h2>Choose a new password</h2>
      <EmailField />
      <p role="alert">{form.error}</p>
      <button type="submit" disabled={form.busy}>
        Send a code
      </button>
      <p className="row">
        <button type="button" className="link" onClick={() => go({ name: "signIn" })}>
          Back
        </button>
      </p>
    </form>
  );
}

function ByMail({ go }: { go: (step: Step) => void }) {
  const form = useForm(async ({ email = "", how }) => {
    if (how === "link") {
      await auth.signIn("magic-link", { email, redirectTo: here() });
      go({ name: "sent", email });
    } else {
      await auth.signIn("email-code", { email });
      go({ name: "code", email });
    }
  });
  return (
    <form onSubmit={form.onSubmit}>
      <h2>Sign in by mail</h2>
      <EmailField />
      <fieldset>
        <legend>Send me</legend>
        <label className="choice">
          <input type="radio" name="how" value="code" defaultChecked /> a code
        </label>
        <label className="choice">
          <input type="radio" name="how" value="link" /> a link
        </label>
      </fieldset>
      <p role="alert">{form.error}</p>
      <button type="submit" disabled={form.busy}>
        Send
      </button>
      <p className="row">
        <button type="button" className="link" onClick={() => go({ name: "signIn" })}>
          Use a password
        </button>
      </p>
    </form>
  );
}

function EnterCode({ step }: { step: { name: string; email: string } }) {
  const { email } = step;
  const form = useForm(async ({ code, newPassword }) => {
    if (step.name === "code") await auth.signIn("email-code", { email, code });
    else if (step.name === "verify") await auth.signIn("password", { flow: "email-verification", email, code });
    else await auth.signIn("password", { flow: "reset-verification", email, code, newPassword });
  });
  return (
    <form onSubmit={form.onSubmit}>
      <h2>Look into your mail</h2>
      <p>We have sent mail to {email}.</p>
      <CodeField />
      {step.name === "newPassword" && <PasswordField label="New password" name="newPassword" fresh />}
      <p role="alert">{form.error}</p>
      <button type="submit" disabled={form.busy}>
        Continue
      </button>
    </form>
  );
}

/** Buttons for the providers that the deployment has, and for sign-in by mail. */
function OtherWays({ go }: { go: (step: Step) => void }) {
  const providers = useQuery(api.auth.providers, {}) ?? [];
  const [error, setError] = useState("");
  const leave = (id: string) =>
    auth.signIn(id, { redirectTo: here() }).catch((refused: unknown) => setError(messageOf(refused)));
  return (
    <div className="others">
      <button type="button" onClick={() => go({ name: "mail" })}>
        Sign in by mail
      </button>
      {providers
        .filter(({ kind }) => kind === "oauth")
        .map(({ id, name }) => (
          <button type="button" key={id} onClick={() => void leave(id)}>
            Continue with {name}
          </button>
        ))}
      <p role="alert">{error}</p>
    </div>
  );
}
