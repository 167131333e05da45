//! Our engine and our registry: what goes in comes out, in every way the API has.

use engine::oci::{Digest, Platform};
use engine::registry::{Credentials, Endpoint, RegistryError, Repository};
use engine::registry_server::password_line;

use crate::place::{Place, me, settings, skip, told};

#[tokio::test(flavor = "multi_thread")]
async fn an_image_comes_back_as_it_went() {
    if skip("an_image_comes_back_as_it_went") {
        return;
    }
    let place = Place::new();
    let registry = place.registry(&[]).await;
    let (a, b) = (place.engine("a").await, place.engine("b").await);
    let name = format!("{registry}/class/hello:1");
    a.import(&name, &[("f", &[1; 200_000]), ("etc/motd", b"hello")])
        .await;
    let pushed = a.push(&name, Credentials::default()).await.unwrap();
    assert!(told(&pushed, "Pushed"));
    let aux = pushed.iter().find_map(|one| one.aux.clone()).unwrap();
    let again = a.push(&name, Credentials::default()).await.unwrap();
    assert!(told(&again, "Layer already exists"));

    // The layer goes to another repository without being sent.
    let other = format!("{registry}/other:2");
    a.0.tag(&name, &format!("{registry}/other"), "2")
        .await
        .unwrap();
    let mounted = a.push(&other, Credentials::default()).await.unwrap();
    assert!(told(&mounted, "Mounted from class/hello"), "{mounted:?}");

    let pulled = b.pull(&name, Credentials::default()).await.unwrap();
    assert!(told(
        &pulled,
        &format!("Digest: {}", aux["Digest"].as_str().unwrap())
    ));
    assert!(told(
        &pulled,
        &format!("Status: Downloaded newer image for {name}")
    ));
    assert_eq!(a.id(&name).await, b.id(&name).await);
    let again = b.pull(&name, Credentials::default()).await.unwrap();
    assert!(told(
        &again,
        &format!("Status: Image is up to date for {name}")
    ));
    let inspected = b.0.inspect_image(&name).await.unwrap();
    assert_eq!(
        inspected.repo_digests,
        [format!(
            "{registry}/class/hello@{}",
            aux["Digest"].as_str().unwrap()
        )]
    );

    // Without a tag, all tags are meant.
    let all = b
        .pull(&format!("{registry}/other"), Credentials::default())
        .await
        .unwrap();
    assert!(told(&all, "Already exists"));
    assert_eq!(b.id(&other).await, a.id(&name).await);

    let missing = b
        .pull(
            &format!("{registry}/class/hello:no"),
            Credentials::default(),
        )
        .await;
    assert!(
        missing
            .unwrap_err()
            .to_string()
            .contains("not found: manifest unknown")
    );
    let found =
        b.0.search(&format!("{registry}/class"), None)
            .await
            .unwrap();
    assert_eq!(found[0].name, "class/hello");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_password_opens_the_registry_and_nothing_else_does() {
    let place = Place::new();
    let file = place.write("htpasswd", password_line("me", "secret").unwrap());
    let registry = place
        .registry(&["--htpasswd".into(), file.display().to_string()])
        .await;
    let settings = settings(&place.path("root"), "unused.test");
    let endpoint = Endpoint::reach(&settings, &registry.to_string())
        .await
        .unwrap();
    assert!(endpoint.login(&me()).await.is_ok());
    let wrong = Credentials {
        password: "guess".into(),
        ..me()
    };
    let error = endpoint.login(&wrong).await.unwrap_err();
    assert!(
        error.is_unauthorized() && error.to_string().contains("incorrect username or password")
    );
    let nobody = Repository::to_pull(endpoint.clone(), "a", Credentials::default());
    let error = nobody.manifest_of_tag("latest").await.unwrap_err();
    assert!(
        error.to_string().ends_with("no basic auth credentials"),
        "{error}"
    );
    let known = Repository::to_pull(endpoint, "a", me());
    assert!(
        known
            .manifest_of_tag("latest")
            .await
            .unwrap_err()
            .is_not_found()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_is_believed_only_when_certs_d_has_its_authority() {
    let place = Place::new();
    let pair = rcgen::generate_simple_self_signed(vec!["r.test".to_owned()]).unwrap();
    let certificate = place.write("cert.pem", pair.cert.pem());
    let key = place.write("key.pem", pair.signing_key.serialize_pem());
    let words = [
        "--tls-cert",
        &certificate.display().to_string(),
        "--tls-key",
        &key.display().to_string(),
    ]
    .map(str::to_owned);
    let registry = place.registry(&words).await;
    place.write("root/etc/hosts", "127.0.0.1 r.test\n");
    let host = format!("r.test:{}", registry.port());
    let strict = settings(&place.path("root"), "unused.test");
    let error = Endpoint::reach(&strict, &host).await.unwrap_err();
    assert!(
        error.to_string().to_lowercase().contains("certificate"),
        "{error}"
    );
    place.write(
        &format!("root/etc/docker/certs.d/{host}/ca.crt"),
        pair.cert.pem(),
    );
    Endpoint::reach(&strict, &host).await.unwrap();
    // An insecure registry needs none.
    std::fs::remove_dir_all(place.path("root/etc/docker")).unwrap();
    Endpoint::reach(&settings(&place.path("root"), &host), &host)
        .await
        .unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_index_leads_each_machine_to_its_own_image() {
    if skip("an_index_leads_each_machine_to_its_own_image") {
        return;
    }
    let place = Place::new();
    let registry = place.registry(&[]).await;
    let (a, b) = (place.engine("a").await, place.engine("b").await);
    let mut lines = Vec::new();
    let settings = settings(&place.path("root"), "unused.test");
    let endpoint = Endpoint::reach(&settings, &registry.to_string())
        .await
        .unwrap();
    let repository = Repository::to_push(endpoint, "multi", Credentials::default(), &[]);
    let host = Platform::host();
    let foreign = if host.architecture == "arm64" {
        "amd64"
    } else {
        "arm64"
    };
    for architecture in [foreign, host.architecture.as_str()] {
        let name = format!("{registry}/multi:{architecture}");
        a.import(&name, &[("architecture", architecture.as_bytes())])
            .await;
        a.push(&name, Credentials::default()).await.unwrap();
        let manifest = repository.manifest_of_tag(architecture).await.unwrap();
        lines.push(serde_json::json!({
            "mediaType": manifest.media_type, "digest": manifest.digest, "size": manifest.bytes.len(),
            "platform": { "os": "linux", "architecture": architecture },
        }));
    }
    let kind = engine::oci::OCI_INDEX;
    let index = serde_json::json!({ "schemaVersion": 2, "mediaType": kind, "manifests": lines });
    let digest = repository
        .put_manifest("both", kind, index.to_string().into_bytes())
        .await
        .unwrap();
    let name = format!("{registry}/multi:both");
    let pulled = b.pull(&name, Credentials::default()).await.unwrap();
    assert!(told(&pulled, &format!("Digest: {digest}")));
    assert_eq!(
        b.id(&name).await,
        a.id(&format!("{registry}/multi:{}", host.architecture))
            .await
    );
    let seen =
        b.0.inspect_distribution(&name, Credentials::default())
            .await
            .unwrap();
    assert_eq!(seen.platforms.len(), 2);
    // An index that names what is not there is refused.
    let absent = serde_json::json!({ "schemaVersion": 2, "mediaType": kind, "manifests": [
        { "mediaType": engine::oci::OCI_MANIFEST, "digest": Digest::of(b"absent"), "size": 1 }] });
    let refused = repository
        .put_manifest("bad", kind, absent.to_string().into_bytes())
        .await;
    assert!(matches!(refused, Err(RegistryError::Refused { .. })));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_archive_of_the_web_becomes_an_image() {
    if skip("an_archive_of_the_web_becomes_an_image") {
        return;
    }
    let place = Place::new();
    let rootfs = crate::place::archive(&[("etc/motd", b"from afar")]);
    let server = crate::server::Server::start(move |asked| match asked.path.as_str() {
        "/rootfs.tar" => crate::server::Reply::new(200, rootfs.clone()),
        "/cut.tar" => crate::server::Reply {
            told: Some(rootfs.len()),
            ..crate::server::Reply::new(200, &rootfs[..700])
        },
        _ => crate::server::Reply::new(404, ""),
    });
    let engine = place.engine("a").await;
    let import = async |file: &str, name: &str| {
        let (sink, _told) = engine::daemon::ProgressSink::new();
        let address = format!("http://127.0.0.1:{}/{file}", server.port);
        let name = engine::image::Reference::parse(name).unwrap();
        engine
            .0
            .import_from(address, Some(name), Vec::new(), String::new(), sink)
            .await
    };
    import("rootfs.tar", "afar:1").await.unwrap();
    let image = engine.0.inspect_image("afar:1").await.unwrap();
    assert!(image.comment.starts_with("Imported from http://127.0.0.1"));
    for bad in ["cut.tar", "absent.tar"] {
        assert!(import(bad, "bad:1").await.is_err(), "{bad}");
        assert!(engine.0.inspect_image("bad:1").await.is_err(), "{bad}");
    }
}
