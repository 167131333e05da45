//! Today's engine in a learner's machine: builds, networks, names, ports, volumes, projects, archives.
//!
//! One machine for all of it, in the order in which a course would do it; every step is what a
//! learner types. What differs from a plain host lies below: user namespaces in each other, layers
//! of a shared catalogue, control groups that were handed down.

use crate::bare::Bare;

/// The project of these tests: a page, and a Dockerfile that does what images do.
const PROJECT: &str = r#"
mkdir -p /root/projet && cd /root/projet
echo '<p>page</p>' >page.html
cat >Dockerfile <<'FIN'
FROM busybox AS outil
RUN mkdir /produit && echo fait >/produit/resultat
FROM busybox
ARG QUI=monde
ENV SALUT="bonjour $QUI"
RUN echo 'app:x:1234:1234::/:/bin/sh' >>/etc/passwd && echo 'app:x:1234:' >>/etc/group \
 && mkdir /donnees && echo "$SALUT" >/donnees/mot && chmod 640 /donnees/mot \
 && chown -R app:app /donnees && mknod /tube p && ln -s mot /donnees/lien
RUN rm /donnees/lien && mv /donnees/mot /donnees/mot2
COPY --from=outil /produit/ /produit/
COPY --chown=1234:1234 page.html /www/index.html
WORKDIR /www
EXPOSE 80
HEALTHCHECK --interval=1s --timeout=10s --retries=30 CMD wget -q -O /dev/null http://127.0.0.1/
CMD ["httpd", "-f", "-h", "/www"]
FIN
cat >compose.yaml <<'FIN'
services:
  web:
    build: .
    ports: ["8080:80"]
    depends_on: { base: { condition: service_healthy } }
    networks: [devant, derriere]
  base:
    image: busybox
    command: ["sh", "-c", "while true; do echo ok | nc -l -p 5432; done"]
    healthcheck: { test: ["CMD-SHELL", "nc -w 1 127.0.0.1 5432 </dev/null"], interval: 1s, retries: 30 }
    volumes: ["donnees:/d"]
    networks: [derriere]
networks:
  devant: {}
  derriere: { internal: true }
volumes:
  donnees: {}
FIN
"#;

#[test]
fn todays_engine_works_in_a_machine() {
    let Some(machine) = Bare::start("todays_engine_works_in_a_machine") else {
        return;
    };
    machine.does(PROJECT);
    builds(&machine);
    networks(&machine);
    files(&machine);
    archives(&machine);
    limits(&machine);
    projects(&machine);
}

fn builds(machine: &Bare) {
    machine.does("cd /root/projet && docker build -t site --build-arg QUI=Quai . 2>&1");
    // The second time nothing is done again, be it with another tag.
    let again =
        machine.does("cd /root/projet && docker build -t site:deux --build-arg QUI=Quai . 2>&1");
    assert!(again.to_lowercase().contains("cache"), "{again}");
    machine.says(
        "docker image inspect -f '{{.Id}}' site site:deux | uniq | wc -l",
        "1",
    );
    machine.says(
        "docker run --rm site stat -c '%u:%g %a %F' /donnees/mot2 /tube /www/index.html",
        "1234:1234 640 regular file\n0:0 644 fifo\n1234:1234 644 regular file",
    );
    machine.says(
        "docker run --rm site cat /donnees/mot2 /produit/resultat",
        "bonjour Quai\nfait",
    );
    machine.fails("docker run --rm site test -e /donnees/mot");
    let explored = machine.does("docker image explore site");
    assert!(
        explored.contains("index.html") || explored.contains("COPY"),
        "{explored}"
    );
    let history = machine.does("docker history --no-trunc site");
    assert!(history.contains("chmod 640"), "{history}");
}

fn networks(machine: &Bare) {
    machine.does("docker network create --subnet 10.77.0.0/24 reseau");
    machine.does("docker run -d --name web --network reseau --network-alias www -p 8000:80 site");
    machine.until(
        "docker inspect -f '{{.State.Health.Status}}' web",
        "healthy",
    );
    machine.says(
        "docker run --rm --network reseau busybox wget -q -O - http://www/",
        "<p>page</p>",
    );
    machine.says("curl -sf http://127.0.0.1:8000/", "<p>page</p>");
    machine.says("docker port web 80/tcp | head -1", "0.0.0.0:8000");
    // The name is known in its own network only, to a container and to whoever enters it.
    machine.fails("docker run --rm busybox nslookup -type=a web");
    let address =
        machine.does("docker inspect -f '{{.NetworkSettings.Networks.reseau.IPAddress}}' web");
    assert!(address.starts_with("10.77.0."), "{address}");
    machine.says(
        "nsenter -n -t $(docker inspect -f '{{.State.Pid}}' web) dig +short @127.0.0.11 www",
        &address,
    );
    machine.does("docker network create autre && docker network connect autre web");
    machine.says(
        "docker run --rm --network autre busybox wget -q -O - http://web/",
        "<p>page</p>",
    );
    machine.does("docker network disconnect autre web && docker network rm autre");
    machine.does(
        "docker run --rm --network container:web busybox wget -q -O /dev/null http://127.0.0.1/",
    );
}

fn files(machine: &Bare) {
    machine.does("docker volume create coffre");
    machine.does("docker run --rm -v coffre:/c busybox sh -c 'echo secret >/c/mot && chown 1000:1000 /c/mot && chmod 600 /c/mot'");
    machine.says(
        "docker run --rm -v coffre:/c busybox stat -c '%u %a' /c/mot",
        "1000 600",
    );
    machine.says(
        "docker run --rm -v coffre:/c:ro busybox sh -c 'touch /c/x 2>/dev/null || echo ferme'",
        "ferme",
    );
    machine.does(
        "echo un-fichier >/root/f && docker cp /root/f web:/tmp/f && docker exec web cat /tmp/f",
    );
    machine.says("docker cp web:/tmp/f - | tar -xO", "un-fichier");
    machine.says("docker diff web | grep -w /tmp/f", "A /tmp/f");
    machine.says(
        "mkdir -p /srv/www && echo lie >/srv/www/i && docker run --rm -v /srv/www:/w busybox cat /w/i",
        "lie",
    );
    machine.does(
        "docker run --rm --tmpfs /t:size=1m --read-only busybox sh -c 'touch /t/x && ! touch /x'",
    );
}

fn archives(machine: &Bare) {
    machine.does("docker commit -c 'LABEL de=photo' web photo");
    machine.says("docker run --rm photo cat /tmp/f", "un-fichier");
    machine.does("docker save photo | gzip >/root/photo.tgz && docker rmi photo");
    machine.fails("docker image inspect photo");
    machine.does("docker load </root/photo.tgz");
    machine.says(
        "docker image inspect -f '{{.Config.Labels.de}}' photo",
        "photo",
    );
    machine.says(
        "docker run --rm photo stat -c '%u %a' /donnees/mot2",
        "1234 640",
    );
    machine.does("docker export web | docker import - plat");
    machine.says("docker run --rm plat cat /tmp/f", "un-fichier");
    machine.does("docker rmi plat photo && docker rm -f web && docker volume rm coffre && docker network rm reseau");
}

fn limits(machine: &Bare) {
    let memory = "cat /sys/fs/cgroup/memory.max /sys/fs/cgroup/memory/memory.limit_in_bytes 2>/dev/null || true";
    machine.says(
        &format!("docker run --rm -m 32m busybox sh -c '{memory}'"),
        "33554432",
    );
    machine.fails(
        "docker run --rm -m 16m busybox sh -c 'dd if=/dev/zero of=/dev/null bs=64M count=1'",
    );
    machine.fails("docker run --rm --pids-limit 8 busybox sh -c 'for i in 1 2 3 4 5 6 7 8 9 10; do sleep 5 & done; wait'");
    // Root of a privileged container is root of the machine at most.
    machine.does("docker run --rm --privileged busybox sh -c 'mkdir /m && mount -t tmpfs rien /m'");
    machine.fails(
        "docker run --rm --privileged busybox sh -c 'echo x >/proc/sys/kernel/core_pattern'",
    );
}

fn projects(machine: &Bare) {
    machine.does("cd /root/projet && docker compose up -d --wait 2>&1");
    machine.says("curl -sf http://127.0.0.1:8080/", "<p>page</p>");
    machine.says(
        "cd /root/projet && docker compose ps --services | sort | tr '\\n' ' '",
        "base web",
    );
    machine.says(
        "cd /root/projet && docker compose exec -T web nc -w 2 base 5432 </dev/null",
        "ok",
    );
    let before = machine.does("cd /root/projet && docker compose ps -q base");
    machine.does("cd /root/projet && sed -i 's/8080:80/8081:80/' compose.yaml && docker compose up -d --wait 2>&1");
    machine.says("cd /root/projet && docker compose ps -q base", &before);
    machine.says("curl -sf http://127.0.0.1:8081/", "<p>page</p>");
    machine.does("cd /root/projet && docker compose down -v 2>&1");
    machine.says("docker ps -aq | wc -l; docker volume ls -q | wc -l", "0\n0");
    machine.says(
        "docker network ls --format '{{.Name}}' | sort | tr '\\n' ' '",
        "bridge host none",
    );
    machine.fails("ss -Hltn | grep -E ':808[01] '");
}
