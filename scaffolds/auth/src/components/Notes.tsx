import { useMutation, useQuery } from "convex/react";
import { api } from "../../{{functions}}/_generated/api";
import { useForm } from "../useForm";

export function Notes({ name }: { name: string }) {
  const notes = useQuery(api.notes.list, {});
  const add = useMutation(api.notes.add);
  const remove = useMutation(api.notes.remove);
  const form = useForm(async ({ text = "" }) => {
    await add({ text });
    document.querySelector<HTMLFormElement>("#write")?.reset();
  });
  return (
    <section className="card">
      <h2>Notes of {name}</h2>
      <form id="write" className="line" onSubmit={form.onSubmit}>
        <label>
          <span className="hidden">New note</span>
          <input name="text" placeholder="Write a note" autoComplete="off" required maxLength={2000} />
        </label>
        <button type="submit" disabled={form.busy}>
          Add
        </button>
      </form>
      <p role="alert">{form.error}</p>
      {notes?.length === 0 && <p className="soft">Nothing here yet.</p>}
      <ul>
        {notes?.map((note) => (
          <li key={note._id}>
            <span>{note.text}</span>
            <button aria-label={`Delete: ${note.text}`} onClick={() => void remove({ noteId: note._id })}>
              Delete
            </button>
          </li>
        ))}
      </ul>
    </section>
  );
}
