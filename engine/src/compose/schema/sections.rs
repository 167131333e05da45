//! The attributes of a document and of what stands beside its services.

use super::service::SERVICE;
use super::{Kind, Row};
use Kind::{
    Any, Dictionary, Flag, List, Map, Nullable, Pairs, Refused, Scalar, Text, TextOr, Texts,
};

const SWARM: &str = "needs a swarm, which this engine is not";

/// The whole document.
pub(super) const DOCUMENT: &[Row] = &[
    Row::of("version", Any),
    Row::of("name", Text),
    Row::of("include", Any),
    Row::of("services", Nullable(&Dictionary(&Nullable(&Map(SERVICE))))),
    Row::of(
        "models",
        Refused("is not supported: this engine runs no models"),
    ),
    Row::of("networks", Nullable(&Dictionary(&Nullable(&Map(NETWORK))))),
    Row::of("volumes", Nullable(&Dictionary(&Nullable(&Map(VOLUME))))),
    Row::of("secrets", Nullable(&Dictionary(&Map(SECRET)))),
    Row::of("configs", Nullable(&Dictionary(&Map(CONFIG)))),
];

/// An entry of `include`.
pub(super) const INCLUDE: Kind = TextOr(&Map(&[
    Row::required("path", Texts),
    Row::of("project_directory", Text),
    Row::of("env_file", Texts),
]));

const NETWORK: &[Row] = &[
    Row::of("attachable", Flag),
    Row::of("driver", Text),
    Row::of("driver_opts", Dictionary(&Scalar)),
    Row::of("enable_ipv4", Flag),
    Row::of("enable_ipv6", Flag),
    Row::of("external", Any),
    Row::of("internal", Flag),
    Row::of("ipam", Map(IPAM)),
    Row::of("labels", Pairs),
    Row::of("name", Text),
];

const IPAM: &[Row] = &[
    Row::of(
        "config",
        List(&Map(&[
            Row::of("aux_addresses", Dictionary(&Text)),
            Row::of("gateway", Text),
            Row::of("ip_range", Text),
            Row::of("subnet", Text),
        ])),
    ),
    Row::of("driver", Text),
    Row::of("options", Dictionary(&Text)),
];

const VOLUME: &[Row] = &[
    Row::of("driver", Text),
    Row::of("driver_opts", Dictionary(&Scalar)),
    Row::of("external", Any),
    Row::of("labels", Pairs),
    Row::of("name", Text),
];

const SECRET: &[Row] = &[
    Row::of("driver", Refused(SWARM)),
    Row::of("driver_opts", Refused(SWARM)),
    Row::of("environment", Text),
    Row::of("external", Any),
    Row::of("file", Text),
    Row::of("labels", Pairs),
    Row::of("name", Text),
    Row::of("template_driver", Refused(SWARM)),
];

const CONFIG: &[Row] = &[
    Row::of("content", Text),
    Row::of("environment", Text),
    Row::of("external", Any),
    Row::of("file", Text),
    Row::of("labels", Pairs),
    Row::of("name", Text),
    Row::of("template_driver", Refused(SWARM)),
];
