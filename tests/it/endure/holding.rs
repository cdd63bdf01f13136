//! Event streams and tunnels that are held open while reads go on.
//! 5,000 of them, and the rate of reads, are the soak's; here it is some hundreds, and what one read costs.

use std::path::Path;
use std::time::Duration;

use super::held::{self, Plan};

/// What a read may cost more beside held streams. The rate itself depends on what else this machine does, the processor time of a
/// read much less so; work that grew with the streams would cost many times as much.
const DEARER: f64 = 1.5;
/// Resident memory for each stream, of a build without optimization; the figure of a release build is measured apart.
const MEMORY: f64 = 64.0;

#[test]
fn reads_beside_hundreds_of_held_streams_and_tunnels_cost_what_they_cost_alone() {
    let folder = crate::support::folder();
    let descriptors = dockgate::proxy::descriptors::raise().unwrap_or(u64::MAX);
    let (streams, tunnels) = if descriptors >= 4096 { (450, 50) } else { (90, 10) };
    let measure = Duration::from_millis(700);
    let plan = Plan { dockgate: Path::new(env!("CARGO_BIN_EXE_dockgate")), folder: folder.path(), streams, tunnels, readers: 8, measure };
    let held = held::run(&plan).unwrap();
    let count = streams + tunnels;
    assert_eq!(held.alive, count, "every stream gets an event afterwards, every tunnel echoes");
    let each = (held.holding.descriptors - held.idle.descriptors) as f64 / count as f64;
    assert!((1.9..=2.0).contains(&each), "a descriptor for the client, one for the engine: {each}"); // some connections were kept
    let alone = f64::midpoint(held.before.cpu, held.after.cpu);
    assert!(held.with.cpu <= alone * DEARER, "{held:?}");
    let each = held.holding.resident.saturating_sub(held.idle.resident) as f64 / count as f64;
    assert!(each < MEMORY, "{each} KiB for each: {held:?}");
    crate::support::report(&format!(
        "{count} held: a read takes {:.0} µs of processor without, {:.0} µs with them; {each:.1} KiB each; ratio of rates {:.2}",
        alone,
        held.with.cpu,
        held.ratio()
    ));
}
