"""`corpusmill plugins check`: hold operators against the contract kit, and say what is wrong like a compiler."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from corpusmill.cli.terminal import complain, say
from corpusmill.cli.with_options import with_options

if TYPE_CHECKING:
    from corpusmill.testing import Report

_EXAMPLES = """\b
Examples:
  corpusmill plugins check my_filter.py
  corpusmill plugins check my_filter.py --with max_share=0.2
  corpusmill plugins check filter.length --with min_words=5 --verbose
  corpusmill plugins check acme-filters --json
"""


@click.command(epilog=_EXAMPLES)
@click.argument("targets", metavar="FILE|NAME...", nargs=-1, required=True)
@click.option("--with", "options", multiple=True, metavar="OPTION=VALUE", help="An option of the operators.")
@click.option("-v", "--verbose", is_flag=True, help="Tell claims that hold or do not apply as well.")
@click.option("--json", "as_json", is_flag=True, help="Print as JSON.")
@click.pass_obj
def check(
    given_above: tuple[tuple[str, ...], tuple[str, ...]],
    targets: tuple[str, ...],
    options: tuple[str, ...],
    verbose: bool,
    as_json: bool,
) -> None:
    """Check operators against everything the engine relies on, on small samples, without writing a test.

    FILE is a plugin file; NAME an operator such as filter.length, or an installed distribution. Exit code 0 when all
    claims hold, 1 when one does not.
    """
    from corpusmill.testing.findings import as_json as reports_as_json
    from corpusmill.testing.subjects import check_plugin

    files, blocked = given_above
    given = with_options(options)
    reports = []
    for target in targets:
        for report in check_plugin(target, options=given, files=files, blocked=blocked):
            reports.append(report)
            if not as_json:
                _say(report, verbose=verbose)
    if as_json:
        say(reports_as_json(reports))
    sys.exit(0 if all(report.ok for report in reports) else 1)


def _say(report: Report, *, verbose: bool) -> None:
    for finding in report.findings if verbose else report.failures:
        say(str(finding))
        if finding in report.failures:
            say()
    if report.ok:
        say(report.summary())
    else:
        complain(report.summary())
