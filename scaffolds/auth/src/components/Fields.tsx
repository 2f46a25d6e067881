import type { InputHTMLAttributes } from "react";

/** A labelled input. */
export function Field({ label, ...input }: { label: string } & InputHTMLAttributes<HTMLInputElement>) {
  return (
    <label>
      <span>{label}</span>
      <input required {...input} />
    </label>
  );
}

export function EmailField(input: InputHTMLAttributes<HTMLInputElement>) {
  return <Field label="E-mail" name="email" type="email" autoComplete="email" {...input} />;
}

/** `fresh` is a password that is being chosen. */
export function PasswordField({ label = "Password", name = "password", fresh = false }) {
  const complete = fresh ? "new-password" : "current-password";
  return <Field label={label} name={name} type="password" autoComplete={complete} minLength={fresh ? 8 : undefined} />;
}

export function CodeField() {
  return <Field label="Code from the mail" name="code" inputMode="numeric" autoComplete="one-time-code" autoFocus />;
}
