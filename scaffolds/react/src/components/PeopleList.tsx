import { useQuery } from "convex/react";
import { api } from "../../{{functions}}/_generated/api";
import { Face } from "./Face";

/** Who is here: their page is open. */
export function PeopleList() {
  const people = useQuery(api.users.recent);
  return (
    <section>
      <h2>Here</h2>
      <ul>
        {people?.map((name) => (
          <li key={name} className="person">
            <Face name={name} />
            {name}
          </li>
        ))}
      </ul>
    </section>
  );
}
