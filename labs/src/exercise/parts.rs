//! An exercise on several machines, as one exercise for each of them.
//!
//! Every machine has its own watcher, which reads that machine alone: a check belongs to one of
//! them, and needs checks of the same one only.

use super::Exercise;

impl Exercise {
    /// What is to be watched on each machine, in the order of `machine.hosts`; the exercise itself
    /// when it has one machine.
    pub fn parts(&self) -> Vec<Self> {
        let Some(first) = self.machine.hosts.first() else {
            return vec![self.clone()];
        };
        let here = |host: &Option<String>, name: &String| host.as_ref().unwrap_or(first) == name;
        let part = |(place, name): (u8, &String)| {
            let mut part = self.clone();
            part.id = format!("{}{MARK}{name}", self.whole_id());
            part.machine.place = place;
            part.checks.retain(|check| here(&check.host, name));
            part.ask.retain(|question| here(&question.host, name));
            part
        };
        (1..).zip(&self.machine.hosts).map(part).collect()
    }

    /// The ids of all parts of the exercise that this one is a part of.
    pub fn part_ids(&self) -> impl Iterator<Item = String> {
        let whole = self.whole_id();
        let hosts = self.machine.hosts.iter();
        hosts.map(move |name| format!("{whole}{MARK}{name}"))
    }

    /// The id of the exercise that this one is, or is a part of.
    pub fn whole_id(&self) -> &str {
        self.id.split(MARK).next().unwrap_or_default()
    }

    /// The name of the machine that this part is about.
    pub fn host(&self) -> Option<&str> {
        let place = usize::from(self.machine.place).checked_sub(1)?;
        self.machine.hosts.get(place).map(String::as_str)
    }
}

/// Between the id of an exercise and the machine of a part; no id holds it.
const MARK: char = '@';

#[cfg(test)]
mod tests {
    use crate::exercise::Exercise;

    fn exercise(front: &str) -> Exercise {
        let head = "schema: 1\nid: a/b\ntitle: T\nduration: 5m\nsolve: s.sh\ncounterexamples: []\n";
        serde_saphyr::from_str(&format!("{head}{front}")).unwrap()
    }

    #[test]
    fn each_machine_has_its_own_checks() {
        let whole = exercise(
            "machine: { image: machine, hosts: [un, deux] }\nchecks:\n\
             - { id: x, text: X, assert: { machine.hostname: un } }\n\
             - { id: y, text: Y, host: deux, assert: { machine.hostname: deux } }\n\
             ask:\n- { id: q, text: Q, host: deux, type: integer, equals: 1 }\n",
        );
        let parts = whole.parts();
        let ids: Vec<_> = parts.iter().map(|part| part.id.as_str()).collect();
        assert_eq!(ids, ["a/b@un", "a/b@deux"]);
        assert!(parts[1].part_ids().eq(ids));
        assert_eq!((parts[0].checks.len(), parts[0].ask.len()), (1, 0));
        assert_eq!(
            (parts[1].checks[0].id.as_str(), parts[1].ask.len()),
            ("y", 1)
        );
        assert_eq!(parts[1].host(), Some("deux"));
        assert_eq!(parts[1].whole_id(), "a/b");
    }

    #[test]
    fn one_machine_is_one_part() {
        let alone = exercise("checks: [{ id: x, text: X, assert: { machine.hostname: un } }]\n");
        assert_eq!(alone.parts(), std::slice::from_ref(&alone));
        assert_eq!(alone.host(), None);
    }
}
