"""A small GitHub runner: plays the jobs of a workflow, composite actions included, with the commands as they stand.

It knows what the workflows of this repository use: expressions without filters, `needs`, `if`, `env`, `with`, outputs,
and the actions checkout, setup-python and upload-artifact, whose work it does itself.
"""

import os
import re
import shutil
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

import yaml

_TOKEN = re.compile(r"'(?:[^']|'')*'|&&|\|\||[!=]=|!|[(),]|[A-Za-z_][\w.-]*|\d+|\s+")
_WORDS = {"&&": " and ", "||": " or ", "!": " not ", "true": "True", "false": "False", "null": "None"}


def look_up(context, name):
    """`github.event.number` in nested dictionaries; an empty text where it is not there."""
    for part in name.split("."):
        context = context.get(part, "") if isinstance(context, dict) else ""
    return context


def evaluate(text, context, status="success"):
    """The value of an expression."""
    functions = {
        "always": lambda: True,
        "success": lambda: status == "success",
        "failure": lambda: status == "failure",
        "startsWith": lambda text, start: str(text or "").lower().startswith(start.lower()),
    }

    def translated(match):
        token = match.group()
        if token.startswith("'"):
            return repr(token[1:-1].replace("''", "'"))
        if token in _WORDS:
            return _WORDS[token]
        named = re.match(r"[A-Za-z_]", token) and token not in functions
        return f"look_up(context, {token!r})" if named else token

    assert "".join(_TOKEN.findall(text)) == text, f"not understood: {text}"
    return eval(_TOKEN.sub(translated, text.strip()), {"look_up": look_up, "context": context, **functions})


def filled(value, context):
    """A value of YAML with its expressions replaced; as text, since that is what a step gets."""
    if isinstance(value, bool):
        return str(value).lower()

    def text(match):
        found = evaluate(match.group(1).strip(), context)
        return str(found).lower() if isinstance(found, bool) else str(found)

    return re.sub(r"\$\{\{(.*?)\}\}", text, str(value), flags=re.S)


@dataclass
class Job:
    """What became of a job: its result, what was printed, the Markdown of its summary, and its outputs by step."""

    result: str = "success"
    printed: str = ""
    summary: str = ""
    steps: dict = field(default_factory=dict)


@dataclass
class Runner:
    """A machine of one repository.

    Attributes:
        repository: the git repository that is checked out.
        folder: where it works.
        programs: a folder put first into PATH.
        actions: folders of actions of other repositories, by what stands before the `@`.
        environment: what the machine itself sets.
    """

    repository: Path
    folder: Path
    programs: Path
    actions: dict = field(default_factory=dict)
    environment: dict = field(default_factory=dict)
    artifacts: dict = field(default_factory=dict)

    @property
    def workspace(self):
        return self.folder / "work"

    def play(self, workflow, *, only=None, event="push", payload=None, secrets=None, matrix=None, **inputs):
        """Play the jobs of a workflow in the order of the file; the jobs by name.

        Args:
            workflow: name of a file in `.github/workflows`.
            only: names of the jobs to play, all unless given.
            event: what started it.
            payload: the event's data.
            secrets: by name.
            matrix: the one combination to play.
            inputs: of `workflow_dispatch`.
        """
        document = yaml.safe_load((self.repository / ".github/workflows" / workflow).read_text())
        github = {
            "event_name": event,
            "event": payload or {},
            "repository": "team/project",
            "token": "token-of-the-job",
        }
        context = {"github": github, "inputs": inputs, "secrets": secrets or {}, "vars": {}, "matrix": matrix or {}}
        done = {}
        shell = look_up(document, "defaults.run.shell")
        for name, job in document["jobs"].items():
            if only is not None and name not in only:
                continue
            needs = job.get("needs", [])
            needed = {
                one: {"result": done[one].result}
                for one in ([needs] if isinstance(needs, str) else needs)
                if one in done
            }
            context["needs"] = needed
            went = all(one["result"] == "success" for one in needed.values())
            condition = str(job.get("if", "success()"))
            wanted = evaluate(condition, context, "success" if went else "failure")
            if not wanted or (not went and "always()" not in condition):
                done[name] = Job("skipped")
                continue
            done[name] = self._job(job, context, shell)
        return done

    def _job(self, job, context, shell):
        for gone in (self.folder / "temp", self.workspace):
            shutil.rmtree(gone, ignore_errors=True)
            gone.mkdir(parents=True)
        state = Job()
        self._steps(job["steps"], {**context, "env": job.get("env", {})}, state, shell, self.workspace)
        return state

    def _steps(self, steps, context, state, shell, action):
        context = {**context, "steps": state.steps}
        for step in steps:
            condition = str(step.get("if", "success()"))
            wanted = evaluate(condition, context, state.result)
            if not wanted or (state.result == "failure" and not re.search(r"always\(\)|failure\(\)", condition)):
                continue
            values = {name: filled(value, context) for name, value in step.get("env", {}).items()}
            if "run" in step:
                went = self._run(step, values, state, step.get("shell") or shell, action)
            else:
                given = {name: filled(value, context) for name, value in step.get("with", {}).items()}
                went = self._use(step["uses"].partition("@")[0], given, context, state)
            if not went:
                state.result = "failure"

    def _use(self, name, given, context, state):
        if name == "actions/checkout":
            deep = [] if given.get("fetch-depth", "1") == "0" else ["--depth", given.get("fetch-depth", "1")]
            command = ["git", "clone", "--quiet", *deep, f"file://{self.repository}", str(self.workspace)]
            return subprocess.run(command, check=True).returncode == 0
        if name == "actions/setup-python":
            return True
        if name == "actions/upload-artifact":
            found = [one for line in given["path"].split() for one in [self.workspace / line] if one.exists()]
            kept = self.folder / "artifacts" / given["name"]
            shutil.rmtree(kept, ignore_errors=True)
            if found:
                kept.mkdir(parents=True)
                self.artifacts[given["name"]] = kept
            for one in found:
                (shutil.copytree if one.is_dir() else shutil.copy)(one, kept / one.name)
            return bool(found) or given.get("if-no-files-found") != "error"
        folder = self.workspace if name == "./" else self.actions[name]
        action = yaml.safe_load((folder / "action.yml").read_text())
        unknown = set(given) - set(action["inputs"])
        assert not unknown, f"{name} has no inputs {unknown}"
        inputs = {key: given.get(key, str(one.get("default", ""))) for key, one in action["inputs"].items()}
        self._steps(action["runs"]["steps"], {**context, "inputs": inputs}, state, None, folder)
        return state.result == "success"

    def _run(self, step, values, state, shell, action):
        files = {name: self.folder / "temp" / name.lower() for name in ("GITHUB_OUTPUT", "GITHUB_STEP_SUMMARY")}
        for file in files.values():
            file.write_text("")
        own = {name: os.environ[name] for name in ("HOME", "LANG", "TMPDIR") if name in os.environ}
        environment = {
            **own,
            "PATH": f"{self.programs}:/usr/local/bin:/usr/bin:/bin",
            "RUNNER_TEMP": str(self.folder / "temp"),
            "GITHUB_ACTIONS": "true",
            "GITHUB_WORKSPACE": str(self.workspace),
            "GITHUB_ACTION_PATH": str(action),
            "GITHUB_REPOSITORY": "team/project",
            "GITHUB_SERVER_URL": "https://github.com",
            "GITHUB_RUN_ID": "17",
            "GITHUB_RUN_ATTEMPT": "1",
            **{name: str(file) for name, file in files.items()},
            **self.environment,
            **values,
        }
        options = ["--noprofile", "--norc", "-eo", "pipefail"] if shell == "bash" else ["-e"]
        done = subprocess.run(
            ["bash", *options, "-c", step["run"]], cwd=self.workspace, env=environment, capture_output=True, text=True
        )
        state.printed += done.stdout + done.stderr
        state.summary += files["GITHUB_STEP_SUMMARY"].read_text()
        outputs = dict(line.split("=", 1) for line in files["GITHUB_OUTPUT"].read_text().splitlines())
        if "id" in step:
            state.steps[step["id"]] = {"outputs": outputs}
        return done.returncode == 0
