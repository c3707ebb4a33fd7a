import type { MissFilters } from "../miss-filters";
import { pageOf } from "../miss-filters";
import { go } from "../route";
import { overview } from "../state";
import { FINDING_WORDS, findingWord, KINDS, OUTCOME_WORDS, outcome, words } from "../words";
import { Choice } from "./Choice";
import { mirrorName } from "./Ids";

/** Changes a filter: another list, shown from its start. */
function set(filters: MissFilters, name: keyof MissFilters, value: string): void {
  go(pageOf({ ...filters, limit: "100", [name]: value }));
}

interface FilterProps {
  label: string;
  name: keyof MissFilters;
  filters: MissFilters;
  choices: readonly (readonly [value: string, text: string])[];
}

function Filter({ label, name, filters, choices }: FilterProps) {
  const change = (value: string) => set(filters, name, value);
  return <Choice label={label} name={name} value={filters[name]} choices={choices} set={change} />;
}

/** Every filter of the list; each change is a step that the back button takes back. */
export function MissFilterBar({ filters }: { filters: MissFilters }) {
  const mirrors = overview.state.value.page?.data.mirrors ?? [];
  const verdicts = OUTCOME_WORDS.map((word) => [word, outcome(word).word] as const);
  return (
    <fieldset class="filters">
      <legend class="visually-hidden">Filters of the list</legend>
      <Filter
        label="Mirror"
        name="mirror"
        filters={filters}
        choices={[["", "all"], ...mirrors.map((mirror) => [mirror.id, mirrorName(mirror.id)] as const)]}
      />
      <Filter
        label="Outcome"
        name="verdict"
        filters={filters}
        choices={[...verdicts, ["any", "whatever is not on time"]]}
      />
      <Filter
        label="Explanation"
        name="confirmation"
        filters={filters}
        choices={[["", "any"], ...FINDING_WORDS.map((word) => [word, findingWord(word)] as const)]}
      />
      <Filter
        label="Kind"
        name="kind"
        filters={filters}
        choices={[["", "any"], ...KINDS.map((kind) => [kind, words(kind)] as const)]}
      />
      {filters.verdict === "missed" && filters.follows === "" ? (
        <Filter
          label="Chains"
          name="chain"
          filters={filters}
          choices={[
            ["root", "folded under their root"],
            ["any", "every miss by itself"],
            ["follower", "only what follows"],
          ]}
        />
      ) : null}
      <DidFilter filters={filters} />
    </fieldset>
  );
}

function DidFilter({ filters }: { filters: MissFilters }) {
  const submit = (event: Event) => {
    event.preventDefault();
    const field = (event.currentTarget as HTMLFormElement).elements.namedItem("did");
    if (field instanceof HTMLInputElement) set(filters, "did", field.value.trim());
  };
  return (
    <form class="filter" onSubmit={submit}>
      <label>
        <span>DID</span>
        <input
          name="did"
          key={filters.did}
          defaultValue={filters.did}
          placeholder="did:plc:…, then Enter"
          size={32}
          spellcheck={false}
          autocomplete="off"
          data-filter="did"
        />
      </label>
    </form>
  );
}
