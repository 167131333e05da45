//! What is wanted against what is present: the steps of `up` for one service. Pure.

/// A container that is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Present {
    /// Full id.
    pub id: String,
    /// Which of the service's containers.
    pub number: u32,
    /// What it was made from.
    pub hash: String,
    /// The id of its image.
    pub image: String,
    /// Whether a process runs in it.
    pub is_running: bool,
}

/// What a service shall be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// How many containers.
    pub replicas: u32,
    /// What they are made from.
    pub hash: String,
    /// The id of their image.
    pub image: String,
}

/// When a container that is there is replaced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Replace {
    /// When what it is made from has changed.
    Changed,
    /// In any case (`--force-recreate`).
    All,
    /// Never (`--no-recreate`).
    Nothing,
}

/// One step, in the order in which they are performed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Make a container with this number.
    Create(u32),
    /// Put a new container in the place of this one.
    Recreate(Present),
    /// Start what is there.
    Start(Present),
    /// Nothing to do.
    Keep(Present),
    /// Stop and remove what is too many.
    Remove(Present),
}

/// The steps that turn `present` into `target`.
pub fn steps(target: &Target, mut present: Vec<Present>, replace: Replace) -> Vec<Step> {
    // Those that are up to date stay longest.
    present.sort_by_key(|container| {
        let is_current = container.hash == target.hash && container.image == target.image;
        (!is_current, container.number)
    });
    let surplus = present.split_off(present.len().min(target.replicas as usize));
    let mut steps: Vec<Step> = surplus.into_iter().map(Step::Remove).collect();
    present.sort_by_key(|container| container.number);
    let taken: Vec<u32> = present.iter().map(|container| container.number).collect();
    let missing = target.replicas as usize - present.len();
    for container in present {
        let is_current = container.hash == target.hash && container.image == target.image;
        let stays = match replace {
            Replace::Changed => is_current,
            Replace::All => false,
            Replace::Nothing => true,
        };
        steps.push(match (stays, container.is_running) {
            (false, _) => Step::Recreate(container),
            (true, false) => Step::Start(container),
            (true, true) => Step::Keep(container),
        });
    }
    let free = (1..).filter(|number| !taken.contains(number));
    steps.extend(free.take(missing).map(Step::Create));
    steps
}

#[cfg(test)]
mod tests {
    use super::*;

    fn present(number: u32, hash: &str, is_running: bool) -> Present {
        Present {
            id: format!("id{number}"),
            number,
            hash: hash.into(),
            image: "sha256:1".into(),
            is_running,
        }
    }

    fn target(replicas: u32) -> Target {
        Target {
            replicas,
            hash: "new".into(),
            image: "sha256:1".into(),
        }
    }

    #[test]
    fn only_what_changed_is_replaced() {
        let (old, same) = (present(1, "old", true), present(2, "new", true));
        let asleep = present(3, "new", false);
        assert_eq!(
            steps(
                &target(4),
                vec![asleep.clone(), old.clone(), same.clone()],
                Replace::Changed
            ),
            [
                Step::Recreate(old.clone()),
                Step::Keep(same.clone()),
                Step::Start(asleep),
                Step::Create(4)
            ]
        );
        assert_eq!(
            steps(
                &target(2),
                vec![old.clone(), same.clone()],
                Replace::Nothing
            ),
            [Step::Keep(old.clone()), Step::Keep(same.clone())]
        );
        assert_eq!(
            steps(&target(2), vec![old.clone(), same.clone()], Replace::All),
            [Step::Recreate(old), Step::Recreate(same)]
        );
    }

    #[test]
    fn too_many_are_removed_the_old_ones_first() {
        let (old, same) = (present(1, "old", true), present(2, "new", true));
        assert_eq!(
            steps(
                &target(1),
                vec![old.clone(), same.clone()],
                Replace::Changed
            ),
            [Step::Remove(old.clone()), Step::Keep(same.clone())]
        );
        assert_eq!(
            steps(
                &target(0),
                vec![old.clone(), same.clone()],
                Replace::Changed
            ),
            [Step::Remove(same), Step::Remove(old)]
        );
    }

    #[test]
    fn another_image_is_a_change() {
        let mut other = present(1, "new", true);
        other.image = "sha256:2".into();
        assert_eq!(
            steps(&target(1), vec![other.clone()], Replace::Changed),
            [Step::Recreate(other)]
        );
    }
}
