//! Whole projects, from their files.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use serde_json::json;

use super::body::{self, Purpose};
use super::project::{Project, Source};

/// A folder with files, removed with the test.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str, files: &[(&str, &str)]) -> Self {
        let path = std::env::temp_dir().join(format!("compose-{name}-{}", std::process::id()));
        for (file, text) in files {
            let file = path.join(file);
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            fs::write(file, text).unwrap();
        }
        Self(path)
    }

    fn load(&self, files: &[&str], variables: &[(&str, &str)]) -> Result<Project, String> {
        let source = Source {
            files: files.iter().map(|file| self.0.join(file)).collect(),
            directory: Some(self.0.clone()),
            name: Some("app".into()),
            environment: variables
                .iter()
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
                .collect(),
            ..Source::default()
        };
        Project::load(&source).map_err(|error| error.to_string())
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

#[test]
fn a_project_of_two_files_an_include_and_an_extension() {
    let folder = Folder::new(
        "whole",
        &[
            (
                "compose.yaml",
                "include: [base/cache.yaml]\n\
                 services:\n  \
                   web:\n    \
                     extends: {file: base/web.yaml, service: plain}\n    \
                     image: \"web:${TAG:-1}\"\n    \
                     depends_on: {db: {condition: service_healthy}, cache: }\n    \
                     ports: [\"8080:80\"]\n  \
                   db:\n    \
                     image: postgres\n    \
                     volumes: [\"data:/data\"]\n\
                 volumes: {data: }\n",
            ),
            (
                "more.yaml",
                "services:\n  web:\n    environment: [B=3]\n    mem_limit: 64m\n",
            ),
            (
                "base/cache.yaml",
                "services:\n  cache: {image: redis, volumes: [\"./conf:/conf:ro\"]}\n",
            ),
            (
                "base/web.yaml",
                "services:\n  plain: {image: x, environment: {A: 1, B: 2}, user: \"1000\"}\n",
            ),
            (".env", "TAG=2\n"),
        ],
    );
    let project = folder.load(&["compose.yaml", "more.yaml"], &[]).unwrap();
    let web = &project.services["web"];
    assert_eq!(web.image.as_deref(), Some("web:2"));
    assert_eq!(web.user.as_deref(), Some("1000"));
    assert_eq!(web.environment["A"].as_deref(), Some("1"));
    assert_eq!(web.environment["B"].as_deref(), Some("3"));
    assert_eq!(project.volumes["data"].name, "app_data");
    assert_eq!(project.networks["default"].name, "app_default");
    let conf = project.services["cache"].volumes[0].source.clone().unwrap();
    assert_eq!(conf, folder.0.join("base/conf").display().to_string());

    let wanted =
        body::container(&project, "web", web, &Purpose::Replica(1), &BTreeMap::new()).unwrap();
    assert_eq!(wanted.name, "app-web-1");
    assert_eq!(wanted.body["Env"], json!(["A=1", "B=3"]));
    assert_eq!(wanted.body["HostConfig"]["Memory"], json!(64 << 20));
    assert_eq!(
        wanted.body["HostConfig"]["PortBindings"],
        json!({ "80/tcp": [{ "HostIp": "", "HostPort": "8080" }] })
    );
    assert_eq!(
        wanted.body["NetworkingConfig"]["EndpointsConfig"]["app_default"]["Aliases"],
        json!(["web"])
    );
    assert_eq!(
        wanted.body["Labels"][body::DEPENDS_ON],
        json!("cache:service_started:false,db:service_healthy:false")
    );
}

#[test]
fn the_hash_follows_the_environment_and_nothing_else() {
    let text = "services:\n  web: {image: a, env_file: web.env, scale: 2}\n";
    let folder = Folder::new("hash", &[("c.yaml", text), ("web.env", "A=1\n")]);
    let hash = || {
        let project = folder.load(&["c.yaml"], &[]).unwrap();
        body::hash(&project, &project.services["web"]).unwrap()
    };
    let first = hash();
    fs::write(
        folder.0.join("c.yaml"),
        text.replace("scale: 2", "scale: 3"),
    )
    .unwrap();
    assert_eq!(hash(), first);
    fs::write(folder.0.join("web.env"), "A=2\n").unwrap();
    assert_ne!(hash(), first);
}

#[track_caller]
fn refused(name: &str, text: &str, part: &str) {
    let folder = Folder::new(name, &[("c.yaml", text)]);
    let error = folder.load(&["c.yaml"], &[]).unwrap_err();
    assert!(error.contains(part), "{error}");
}

#[test]
fn what_is_wrong_is_named() {
    refused(
        "r1",
        "services: {web: {image: a, imgae: b}}",
        "services.web Additional property imgae is not allowed",
    );
    refused(
        "r2",
        "services: {web: {image: a, depends_on: [db]}}",
        "depends on undefined service \"db\"",
    );
    refused(
        "r3",
        "services: {web: {}}",
        "neither an image nor a build context",
    );
    refused(
        "r4",
        "services: {web: {image: a, networks: [x]}}",
        "undefined network x",
    );
    refused(
        "r5",
        "services: {web: {image: a, volumes: [\"x:/x\"]}}",
        "undefined volume x",
    );
    refused(
        "r6",
        "services: {a: {image: a, depends_on: [b]}, b: {image: b, depends_on: [a]}}",
        "dependency cycle detected: a -> b -> a",
    );
    refused(
        "r7",
        "services: {web: {image: \"${X:?set it}\"}}",
        "services.web.image",
    );
    refused(
        "r8",
        "servces: {}",
        "(root) Additional property servces is not allowed",
    );
    refused("r9", "services: [", "c.yaml: yaml: line ");
    refused(
        "r10",
        "services: {a: {image: x, extends: b}, b: {image: x, extends: a}}",
        "Circular reference:\n  a in ",
    );
    refused(
        "r11",
        "include: [c.yaml]\nservices: {a: {image: x}}",
        "without end",
    );
}

#[test]
fn aliases_that_explode_are_refused() {
    let mut text = String::from("x-a: &a [l, l, l, l, l, l, l, l, l, l]\n");
    for (next, last) in ('b'..='j').zip('a'..='i') {
        let list = vec![format!("*{last}"); 10].join(", ");
        text.push_str(&format!("x-{next}: &{next} [{list}]\n"));
    }
    text.push_str("services: {web: {image: a}}\n");
    refused("bomb", &text, "excessive aliasing");
}

#[test]
fn profiles_decide_what_is_on() {
    let text = "services: {web: {image: a}, debug: {image: b, profiles: [dev]}}";
    let folder = Folder::new("profiles", &[("c.yaml", text)]);
    let project = folder.load(&["c.yaml"], &[]).unwrap();
    assert_eq!(project.services.keys().collect::<Vec<_>>(), ["web"]);
    assert_eq!(project.disabled.keys().collect::<Vec<_>>(), ["debug"]);
}

#[test]
fn later_files_reset_and_override() {
    let folder = Folder::new(
        "tags",
        &[
            (
                "c.yaml",
                "services:\n  web:\n    image: a\n    ports: [\"80:80\"]\n    environment: {A: 1, B: 2}\n    \
                 command: [x]\n    build: .\n    volumes: [\"/a:/a\"]\n  \
                 old: {image: b}\n",
            ),
            (
                "d.yaml",
                "services:\n  web:\n    ports: !override [\"81:81\"]\n    environment: {A: !reset null}\n    \
                 build: !reset\n    volumes: !reset []\n  old: !reset {}\n",
            ),
            (
                "e.yaml",
                "services:\n  web:\n    extends: {file: c.yaml, service: web}\n    ports: !override [\"82:82\"]\n    \
                 command: !reset []\n    build: !reset\n",
            ),
        ],
    );
    let project = folder.load(&["c.yaml", "d.yaml"], &[]).unwrap();
    assert_eq!(project.services.keys().collect::<Vec<_>>(), ["web"]);
    let web = &project.services["web"];
    let ports: Vec<u16> = web.ports.iter().map(|port| port.target).collect();
    assert_eq!((ports, web.build.is_none()), (vec![81], true));
    assert!(web.volumes.is_empty());
    assert_eq!(web.environment.keys().collect::<Vec<_>>(), ["B"]);
    let project = folder.load(&["e.yaml"], &[]).unwrap();
    let web = &project.services["web"];
    assert_eq!(
        (web.ports.len(), web.ports[0].target, &web.command),
        (1, 82, &None)
    );
    assert_eq!(web.image.as_deref(), Some("a"));
}

#[test]
fn an_include_brings_its_variables_and_no_conflicts() {
    let folder = Folder::new(
        "include",
        &[
            (
                "c.yaml",
                "include: [{path: sub/i.yaml, env_file: other.env}]\nservices: {web: {image: a}}\n",
            ),
            (
                "d.yaml",
                "include: [sub/i.yaml]\nservices: {db: {image: b}}\n",
            ),
            ("over.yaml", "services: {db: {image: over}}\n"),
            ("sub/i.yaml", "services: {db: {image: \"db:${TAG}\"}}\n"),
            ("sub/.env", "TAG=near\n"),
            ("other.env", "TAG=other\n"),
        ],
    );
    let image = |files: &[&str]| {
        let project = folder.load(files, &[])?;
        Ok::<_, String>(project.services["db"].image.clone().unwrap())
    };
    assert_eq!(image(&["c.yaml"]).unwrap(), "db:other");
    assert_eq!(image(&["c.yaml", "over.yaml"]).unwrap(), "over");
    assert_eq!(
        image(&["d.yaml"]).unwrap_err(),
        "services.db: conflicts with imported resource"
    );
}

#[test]
fn parts_that_do_not_fit_are_named() {
    for (name, text, part) in [
        (
            "i1",
            "services: {a: {image: x, ipc: \"service:nope\"}}",
            "service \"a\" depends on undefined service \"nope\": invalid compose project",
        ),
        (
            "i2",
            "services: {a: {image: x, mem_limit: 64m, deploy: {resources: {limits: {memory: 1g}}}}}",
            "services.a: can't set distinct values on 'mem_limit' and 'deploy.resources.limits.memory'",
        ),
        (
            "i3",
            "services: {a: {build: {additional_contexts: {b: \"service:c\"}}}, c: {image: x}}",
            "service \"a\" declares non-buildable service \"c\" as additional contexts b",
        ),
        (
            "i4",
            "services: {a: {build: {additional_contexts: {b: \"service:b\"}}}, \
             b: {build: {additional_contexts: {a: \"service:a\"}}}}",
            "dependency cycle detected: a -> b -> a",
        ),
        (
            "i5",
            "services: {a: {image: x}}\nsecrets: {s: {}}",
            "secrets.s: one of file|environment must be set",
        ),
        (
            "i6",
            "services: {a: {image: x}}\nvolumes: {v: {external: true, driver: local}}",
            "volumes.v: conflicting parameters \"external\" and \"driver\" specified",
        ),
        (
            "i7",
            "services: {a: {image: x, restart: sometimes}}",
            "services.a.restart: invalid restart policy",
        ),
        (
            "i8",
            "services: {a: {image: x, volumes: [{type: npipe, source: a, target: /b}]}}",
            "which this engine does not have",
        ),
        (
            "i9",
            "services: {a: {image: x, env_file: none.env}}",
            "none.env not found",
        ),
    ] {
        refused(name, text, part);
    }
}
