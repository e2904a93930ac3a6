"""Every adapter has a whole checklist, and the checker sees what is wrong with one."""

from __future__ import annotations

from pathlib import Path

import pytest

from syncd.testing.checklist import DESK_RULES, RULES, problems

ADAPTERS = Path(__file__).parents[2] / "adapters"
FOLDERS = sorted(path.parent for path in ADAPTERS.glob("*/__init__.py"))


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_every_adapter_has_a_whole_checklist(folder: Path) -> None:
    """Each rule of its kind is done, or exempt with a reason."""
    rules = DESK_RULES if (folder / "desk.py").exists() else RULES
    assert problems(folder / "checklist.toml", rules=rules) == []


def whole() -> str:
    return "\n".join(f'[[rule]]\nid = "{name}"\nstate = "done"' for name in RULES)


def test_a_whole_list_has_no_problems(tmp_path: Path) -> None:
    """A list with every rule done is right."""
    path = tmp_path / "checklist.toml"
    path.write_text(whole())
    assert problems(path) == []


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (
            whole().replace('id = "redaction"', 'id = "redactions"'),
            ["redactions: no such rule", "redaction: is missing"],
        ),
        (whole() + '\n[[rule]]\nid = "redaction"\nstate = "done"', ["redaction: stands twice"]),
        (whole().replace('state = "done"', 'state = "soon"', 1), ["readme-setup: state is not one of done, exempt"]),
        (whole().replace('state = "done"', 'state = "exempt"', 1), ["readme-setup: exempt without a reason"]),
        (whole().replace('state = "done"', 'state = "exempt"\nreason = " "', 1), ["exempt without a reason"]),
        (whole().replace('state = "done"', 'state = "done"\nreason = 3', 1), ["exempt without a reason"]),
        (whole().replace('state = "done"', 'state = "done"\nbecause = ""', 1), ["readme-setup: unknown key because"]),
        ("[rule]\nid = 1", ["holds something else"]),
        ("rule = [1]", ["holds something else"]),
        (whole() + '\n[other]\nid = "redaction"', ["holds something else"]),
        ("[[rule]", ["cannot be read"]),
    ],
)
def test_the_checker_sees_what_is_wrong(tmp_path: Path, text: str, told: list[str]) -> None:
    """Unknown, missing, doubled and unfounded entries are told, and nothing else."""
    path = tmp_path / "checklist.toml"
    path.write_text(text)
    found = problems(path)
    assert len(found) == len(told)
    assert all(any(part in problem for problem in found) for part in told)


def test_a_missing_list_is_told(tmp_path: Path) -> None:
    """No list at all is a problem, not an error."""
    assert problems(tmp_path / "none.toml") == [f"{tmp_path / 'none.toml'}: is missing"]
