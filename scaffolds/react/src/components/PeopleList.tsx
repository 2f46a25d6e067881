import { useQuery } from "convex/react";
import { api } from "../../{{functions}}/_generated/api";

/** Who came in or wrote within the last minutes. */
export function PeopleList() {
  const people = useQuery(api.users.recent);
  return (
    <section>
      <h2>Here</h2>
      <ul>
        {people?.map((name) => (
          <li key={name}>{name}</li>
        ))}
      </ul>
    </section>
  );
}
