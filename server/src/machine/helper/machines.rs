//! All machines of one data folder: which live, which have a disk only.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{self, ErrorKind};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::time::Duration;

use kernel::error::SysError;
use kernel::poll::{self, Interest};
use kernel::process::{self, Patience, Signal};

use super::cables::{self, CableError, End};
use super::groups::Groups;
use super::owner::Owner;
use super::ranges::{RangeError, Ranges};
use super::record::{Record, RecordError};
use super::start::{self, StartError};
use super::uplinks::{UplinkError, Uplinks};
use super::verbs::{Listed, Listing, Start};
use crate::machine::cable::Place;
use crate::machine::data::DataDir;
use crate::machine::identity::MachineId;
use crate::machine::spec::Network;

/// The machines of one data folder.
pub(super) struct Machines {
    data: DataDir,
    owner: Owner,
    ranges: Ranges,
    uplinks: Uplinks,
    alive: BTreeMap<MachineId, OwnedFd>,
    /// Machines that live and could not be linked to their exercise's other one.
    unlinked: BTreeSet<MachineId>,
}

/// Why something could not be done with a machine.
#[derive(Debug, thiserror::Error)]
pub(super) enum MachineFault {
    #[error(transparent)]
    Start(#[from] StartError),
    #[error(transparent)]
    Range(#[from] RangeError),
    #[error(transparent)]
    Record(#[from] RecordError),
    #[error(transparent)]
    Uplink(#[from] UplinkError),
    #[error("cannot use {path}")]
    File { path: PathBuf, source: io::Error },
    #[error("the machine's processes cannot be ended")]
    End(#[source] SysError),
    #[error(transparent)]
    Cable(#[from] CableError),
    #[error("its processes have not ended after {} s", PATIENCE.as_secs())]
    StillThere,
    #[error("the control groups cannot be removed")]
    Groups(#[source] SysError),
}

/// How long dying processes may take.
const PATIENCE: Duration = Duration::from_secs(10);

impl Machines {
    /// Finds the machines that live, and clears what dead ones left.
    pub(super) fn adopt(data: DataDir, owner: Owner) -> Result<Self, MachineFault> {
        let ranges = Ranges::open(data.ranges(), data.realm())?;
        for folder in [data.machines(), data.run()] {
            fs::create_dir_all(&folder).map_err(|e| failed(&folder, e))?;
        }
        let uplinks = Uplinks::new(&data);
        let mut machines = Self {
            data,
            owner,
            ranges,
            uplinks,
            alive: BTreeMap::new(),
            unlinked: BTreeSet::new(),
        };
        for id in machines.known()? {
            let record = Record::load(&machines.data.machine(&id));
            if let Some(record) = record
                && let Some(keeper) = record.keeper()
            {
                if record.network == Network::Open {
                    machines.uplinks.adopt(&id, record.base);
                }
                machines.alive.insert(id, keeper);
            } else {
                machines.clear(&id)?;
            }
        }
        // Also takes away what a helper left that was killed. Closed machines need no rules.
        if let Err(error) = machines.uplinks.enforce() {
            eprintln!("helper: {}", crate::machine::stage::story(&error));
        }
        for (_, owner) in machines.ranges.all()? {
            if !machines.data.machine(&owner).exists() {
                machines.ranges.give_back(&owner)?;
            }
        }
        Ok(machines)
    }

    /// Starts a machine; one that lives is left alone.
    pub(super) fn start(&mut self, wish: &Start) -> Result<Listed, MachineFault> {
        self.bury();
        let base = self.ranges.take(&wish.id)?;
        if !self.alive.contains_key(&wish.id) {
            let folder = self.data.machine(&wish.id);
            fs::create_dir_all(&folder).map_err(|e| failed(&folder, e))?;
            if wish.network == Network::Open
                && let Err(error) = self.uplinks.open(&wish.id, base)
            {
                // What failed is the news.
                let _ = self.uplinks.close(&wish.id);
                return Err(error.into());
            }
            let started = start::start(&self.data, wish, base, self.owner);
            let started = match started {
                Ok(started) => started,
                Err(error) => {
                    // What failed is the news; what could not be cleared is cleared next time.
                    let _ = self.clear(&wish.id);
                    if !folder.join("disk.img").exists() {
                        let _ = self.delete(&wish.id);
                    }
                    return Err(error.into());
                }
            };
            let keeper = started.keeper;
            self.alive.insert(wish.id.clone(), keeper.pidfd);
            Record::of(keeper.pid, base, wish)?.save(&folder)?;
            self.unlinked.insert(wish.id.clone());
        }
        if let Some(cable) = &wish.cable
            && self.unlinked.contains(&wish.id)
        {
            self.join(&wish.id, cable.place)?;
        }
        self.unlinked.remove(&wish.id);
        Ok(Listed {
            id: wish.id.clone(),
            state: Listing::Alive,
            base,
        })
    }

    /// Links a machine that has just been started to the other one of its exercise, if that lives.
    fn join(&self, id: &MachineId, place: Place) -> Result<(), MachineFault> {
        let other = id.at_place(place.other().into());
        let keeper = |id| Some(Record::load(&self.data.machine(id))?.pid);
        let (true, Some(own), Some(far)) =
            (self.alive.contains_key(&other), keeper(id), keeper(&other))
        else {
            return Ok(());
        };
        let (ours, theirs) = (self.data.socket(id), self.data.socket(&other));
        let own = End {
            place,
            keeper: own,
            socket: &ours,
        };
        let far = End {
            place: place.other(),
            keeper: far,
            socket: &theirs,
        };
        Ok(cables::join([own, far])?)
    }

    /// Stops a machine; its disk stays.
    pub(super) fn stop(&mut self, id: &MachineId) -> Result<(), MachineFault> {
        if let Some(keeper) = self.alive.remove(id) {
            // It may have ended by itself.
            let _ = process::pidfd_send_signal(keeper.as_fd(), Signal::KILL);
            if !ended(keeper.as_fd(), PATIENCE).map_err(MachineFault::End)? {
                self.alive.insert(id.clone(), keeper);
                return Err(MachineFault::StillThere);
            }
        }
        self.clear(id)
    }

    /// Gives a machine a new disk and starts it.
    pub(super) fn reset(&mut self, wish: &Start) -> Result<Listed, MachineFault> {
        self.stop(&wish.id)?;
        let disk = self.data.machine(&wish.id).join("disk.img");
        remove(&disk)?;
        self.start(wish)
    }

    /// Stops a machine and forgets it.
    pub(super) fn delete(&mut self, id: &MachineId) -> Result<(), MachineFault> {
        self.stop(id)?;
        let folder = self.data.machine(id);
        match fs::remove_dir_all(&folder) {
            Err(e) if e.kind() != ErrorKind::NotFound => return Err(failed(&folder, e)),
            _ => {}
        }
        Ok(self.ranges.give_back(id)?)
    }

    /// Names the machines.
    pub(super) fn list(&mut self) -> Result<Vec<Listed>, MachineFault> {
        self.bury();
        let mut bases: BTreeMap<_, _> = BTreeMap::new();
        for (base, owner) in self.ranges.all()? {
            bases.insert(owner, base);
        }
        let listed = |id: MachineId| Listed {
            state: match self.alive.contains_key(&id) {
                true => Listing::Alive,
                false => Listing::Stopped,
            },
            base: bases.get(&id).copied().unwrap_or_default(),
            id,
        };
        Ok(self.known()?.into_iter().map(listed).collect())
    }

    /// Descriptors that become readable when a machine ends.
    pub(super) fn watched(&self) -> Vec<BorrowedFd<'_>> {
        self.alive.values().map(AsFd::as_fd).collect()
    }

    /// Forgets machines that have ended by themselves, and clears what they left.
    pub(super) fn bury(&mut self) {
        let gone = |keeper: &OwnedFd| matches!(ended(keeper.as_fd(), Duration::ZERO), Ok(true));
        let dead: Vec<_> = self
            .alive
            .iter()
            .filter(|(_, k)| gone(k))
            .map(|(id, _)| id.clone())
            .collect();
        for id in dead {
            self.alive.remove(&id);
            if let Err(error) = self.clear(&id) {
                eprintln!("helper: {id}: {}", crate::machine::stage::story(&error));
            }
        }
    }

    /// Removes the control group of all machines, once none lives.
    pub(super) fn remove_group(&self) -> Result<(), MachineFault> {
        let group = Groups::all(&self.data).map_err(MachineFault::Groups)?;
        if self.alive.is_empty() && group.exists() {
            group.remove().map_err(MachineFault::Groups)?;
        }
        Ok(())
    }

    /// Machines that have a folder.
    fn known(&self) -> Result<Vec<MachineId>, MachineFault> {
        let folder = self.data.machines();
        let entries = fs::read_dir(&folder).map_err(|e| failed(&folder, e))?;
        let mut ids: Vec<_> = entries
            .flatten()
            .filter_map(|entry| MachineId::parse(entry.file_name().to_str()?))
            .collect();
        ids.sort();
        Ok(ids)
    }

    /// Removes what a dead machine left: processes, control groups, way out, socket, record.
    fn clear(&mut self, id: &MachineId) -> Result<(), MachineFault> {
        let groups = Groups::of(&self.data, id).map_err(MachineFault::Groups)?;
        if groups.machine.exists() {
            groups.machine.kill().map_err(MachineFault::End)?;
            if !groups.machine.wait_empty(PATIENCE) {
                return Err(MachineFault::StillThere);
            }
            groups.machine.remove().map_err(MachineFault::Groups)?;
        }
        self.unlinked.remove(id);
        self.uplinks.close(id)?;
        Groups::leave(&self.data);
        remove(&self.data.socket(id))?;
        Ok(Record::remove(&self.data.machine(id))?)
    }
}

/// Whether a process has ended within `patience`; our own child is reaped.
fn ended(pidfd: BorrowedFd<'_>, patience: Duration) -> Result<bool, SysError> {
    let ready = poll::wait(&[(pidfd, Interest::Read)], Some(patience))?;
    if !ready[0].any() {
        return Ok(false);
    }
    // A keeper that a former helper started is not our child, and not ours to reap.
    let _ = process::wait(pidfd, Patience::Poll);
    Ok(true)
}

fn remove(path: &Path) -> Result<(), MachineFault> {
    match fs::remove_file(path) {
        Err(e) if e.kind() != ErrorKind::NotFound => Err(failed(path, e)),
        _ => Ok(()),
    }
}

fn failed(path: &Path, source: io::Error) -> MachineFault {
    MachineFault::File {
        path: path.to_owned(),
        source,
    }
}
