"""The verdicts on one chain: its special forms first, then the stages that can read it."""

from __future__ import annotations

from dataclasses import replace

from derivgen.formulas import tree
from derivgen.formulas.fit import any_member
from derivgen.formulas.meanings import alias_key, alias_letters
from derivgen.formulas.resolve import make_reader, resolve_member
from derivgen.formulas.scripts import atoms
from derivgen.formulas.slopes import function_name
from derivgen.formulas.symbols import LOSS_NAMES
from derivgen.formulas.terms import Claim, Term, walk
from derivgen.formulas.tree import FormulaError, Name
from derivgen.verify.claims import (
    chain_alone,
    chain_sum,
    descent,
    function_claim,
    has_slopes,
    initial_scale,
    is_initial_scale,
    is_update,
    lacks_rate,
    names_of,
    numbered_update,
    states_delta_rule,
    updated,
)
from derivgen.verify.endings import with_ending
from derivgen.verify.guesses import SURE, SURE_OF_LAYERS, has_adjoints, on_guesses, with_layers
from derivgen.verify.judge import Member, judge_terms, resolve_members, unread
from derivgen.verify.layers import absent_layer
from derivgen.verify.names import remember
from derivgen.verify.problems import translated
from derivgen.verify.remarks import with_unwritten
from derivgen.verify.report import Finding
from derivgen.verify.scanner import Block
from derivgen.verify.session import Desk, is_slope
from derivgen.verify.stage import Stage
from derivgen.verify.worded import one_by_one, worst_of


def verdicts(block: Block, chain: tree.Chain, desk: Desk) -> list[Finding]:
    """Return a finding for every member of a chain."""
    plain = desk.notebook.reading
    desk.notebook.reading = replace(plain, delta_rule=states_delta_rule(chain))
    try:
        cases = one_by_one(chain)
        found = worst_of([_verdicts(block, case, desk) for case in cases])
        if chain.nearby and any(f.verdict == "wrong" for f in found):
            return _under_nearby(block, chain, desk) or found
        return found
    finally:
        desk.notebook.reading = replace(desk.notebook.reading, delta_rule=plain.delta_rule)


def _under_nearby(block: Block, chain: tree.Chain, desk: Desk) -> list[Finding] | None:
    """Judge a chain under each condition that the text around it states; return what holds."""
    for condition in chain.nearby:
        given = replace(chain, conditions=(*chain.conditions, condition), nearby=())
        found = _verdicts(block, given, desk)
        if all(f.verdict in ("agrees", "proved") for f in found):
            return found
    return None


def _verdicts(block: Block, chain: tree.Chain, desk: Desk) -> list[Finding]:
    source = block.text
    given = desk.stages and not desk.stages[0].name
    if given and (absent := absent_layer(chain, desk.stages[0].symbols)):
        return _absent(*absent, chain, source, desk)
    if found := with_ending(chain, source, desk, is_known, lambda c: _verdicts(block, c, desk)):
        return found
    for special in (_initial, _function, _bare_chain_rule, _descent, _next_error):
        found = special(chain, source, desk)
        if found is not None:
            return found
    named = not desk.stages[0].name and (_unknown(chain, desk) or _clashing(chain, desk))
    guessed = on_guesses(chain, source, desk, _on_stage) if named else None
    if guessed is not None and all(f.verdict != "wrong" for f in guessed):
        return guessed
    adjoint = has_adjoints(chain, desk.stages[0].symbols)
    if guessed is not None and (adjoint or _names_delta(chain)):
        return guessed
    defined = _new_symbol(chain, source, desk)
    if defined is not None:
        return defined
    found = _on_stages(chain, source, desk)
    unread_yet = any(f.verdict == "not_understood" for f in found)
    return guessed if guessed is not None and unread_yet else found


def _names_delta(chain: tree.Chain) -> bool:
    return any(name.base == "delta" for name in names_of(chain.members[0]))


def _absent(name: Name, count: int, chain: tree.Chain, source: str, desk: Desk) -> list[Finding]:
    written = source[name.span[0] : name.span[1]]
    words = desk.notebook.say("no-layer", text=written, n=count)
    return [
        Finding("not_understood", source[m.span[0] : m.span[1]], name.span, reason=words)
        for m in chain.members
    ]


def _on_stages(chain: tree.Chain, source: str, desk: Desk) -> list[Finding]:
    """Judge a chain on the stage that reads most of it; right on any stage is right."""
    best: list[Finding] = []
    best_score = (-1, -9)
    chosen = desk.stages[0]
    desk.notebook.explain = False
    stages = _ordered(chain, desk)
    for stage in stages:
        findings = _on_stage(chain, source, stage, desk)
        score = _score(findings)
        if score > best_score:
            best, best_score, chosen = findings, score, stage
        if not any(f.verdict in ("wrong", "not_understood") for f in best):
            break
    desk.notebook.explain = True
    if any(f.verdict == "wrong" for f in best):
        best = _on_stage(chain, source, chosen, desk)
    if chosen.name:
        best = _restrained(best, chain, desk)
    plainest = next((s for s in stages if s.name), None)
    if chosen.name and plainest is not None and chosen is not plainest:
        return _conditional(best, chosen, desk)
    return best


def _restrained(findings: list[Finding], chain: tree.Chain, desk: Desk) -> list[Finding]:
    """On a network that is only assumed, call wrong what one edit mends, and no definition."""
    claims = (has_slopes(chain) or _has_error(chain)) and _speaks_of_layers(chain)
    sure = (*SURE, *SURE_OF_LAYERS) if claims else ()
    words = desk.notebook.say("assumed-network")
    return [
        Finding("not_understood", f.text, f.span, reason=words)
        if f.verdict == "wrong" and f.mistake not in sure
        else f
        for f in findings
    ]


def _has_error(chain: tree.Chain) -> bool:
    return any(name.base == "delta" for member in chain.members for name in names_of(member))


def _ordered(chain: tree.Chain, desk: Desk) -> list[Stage]:
    given = [s for s in desk.stages if not s.name]
    generic = [s for s in desk.stages if s.name]
    if _speaks_of_layers(chain) and given and not given[0].symbols.families:
        return generic + given
    return given + generic if _speaks_of_layers(chain) or not given else given


def _speaks_of_layers(chain: tree.Chain) -> bool:
    for member in chain.members:
        for name in names_of(member):
            for atom in (*atoms(name.sup), *atoms(name.sub)[-1:]):
                if atom.at is not None and any(n in ("l", "L", "ell") for n, _ in atom.at.letters):
                    return True
    return False


def _score(findings: list[Finding]) -> tuple[int, int]:
    read = sum(f.verdict != "not_understood" for f in findings)
    wrong = sum(f.verdict == "wrong" for f in findings)
    return read, -wrong


def _conditional(findings: list[Finding], stage: Stage, desk: Desk) -> list[Finding]:
    words = desk.notebook.say("other-world", text=translated(stage.name, desk.notebook.lang))
    return [
        replace(f, verdict="holds_if", assumption=words) if f.verdict in ("agrees", "proved") else f
        for f in findings
    ]


def _on_stage(chain: tree.Chain, source: str, stage: Stage, desk: Desk) -> list[Finding]:
    try:
        chain = numbered_update(chain, stage.symbols)
        members, claim = resolve_members(chain, stage.symbols)
    except RecursionError:
        error = FormulaError(source[:20], "Nested too deeply.", "Name the parts.", (0, 1))
        return [unread(error, desk.notebook)]
    defined = _definition(chain, members, claim, source, stage, desk)
    if defined is not None:
        return defined
    members, claim, rate = as_update(members, claim)
    if claim.relations and claim.relations[0] == "~":
        found = _approximation(members, claim, source, stage, desk)
        if found is not None:
            return found
    findings = judge_terms(members, claim, stage, source, desk.notebook)
    findings = with_layers(findings, chain, members, stage, desk)
    findings = with_unwritten(findings, members, source, desk)
    if rate:
        words = desk.notebook.say("rate-one")
        findings[-1] = replace(
            findings[-1], verdict="holds_if", assumption=words, mistake="missing-factor"
        )
    return findings


def as_update(members: list[Member], claim: Claim) -> tuple[list[Member], Claim, bool]:
    terms = [m for m in members if isinstance(m, Term)]
    if len(terms) < 2 or members[0] is not terms[0] or not is_update(terms, claim.relations):
        return members, claim, False
    left = updated(terms[0])
    lacks = lacks_rate(terms[1]) and any(t.op == "gradient" for _, t in walk(terms[1]))
    changed = [left, *members[1:]]
    if lacks:
        left = Term("element", (), left.data, left.span)
    new = replace(claim, members=tuple(m for m in changed if isinstance(m, Term)))
    return changed, new, lacks


def _approximation(
    members: list[Member], claim: Claim, source: str, stage: Stage, desk: Desk
) -> list[Finding] | None:
    """A mean over samples approximates the whole gradient by definition."""
    findings = judge_terms(members, claim, stage, source, desk.notebook)
    if all(f.verdict in ("agrees", "proved") for f in findings):
        words = desk.notebook.say("approximation")
        return [replace(f, verdict="holds_if", assumption=words) if k else f
                for k, f in enumerate(findings)]  # fmt: skip
    return None


def _definition(
    chain: tree.Chain,
    members: list[Member],
    claim: Claim,
    source: str,
    stage: Stage,
    desk: Desk,
) -> list[Finding] | None:
    """Take an unknown symbol on the left for defined by the first member that can be read."""
    first = chain.members[0]
    terms = [m for m in members[1:] if isinstance(m, Term)]
    if not isinstance(first, Name) or not terms:
        return None
    defines = first.base == "delta" and "delta" not in stage.symbols.tensors and is_slope(terms[0])
    if not isinstance(members[0], FormulaError) and not defines:
        return None
    if isinstance(members[0], FormulaError) and members[0].span != first.span or first.primes:
        return None
    if not any(t.op == "gradient" for _, t in walk(terms[0])):
        return None
    names, key = alias_letters(first, terms[0]), alias_key(first, terms[0])
    if names is None:
        return None
    for each in desk.stages:
        if each is stage:
            each.symbols = each.symbols.with_alias(key, names, terms[0])
    words = desk.notebook.say("definition", text=first.base)
    start = Finding("agrees", source[first.span[0] : first.span[1]], first.span, reason=words)
    if isinstance(members[0], Term) and not _is_of_layers(terms[0], stage):
        start = replace(start, verdict="holds_if", assumption=words, reason="")
    rest = judge_terms(list(members[1:]), claim, stage, source, desk.notebook)
    return [start, *rest]


def _next_error(chain: tree.Chain, source: str, desk: Desk) -> list[Finding] | None:
    r"""Take ``\delta_2 = \delta_1 W_2^T`` for a definition where ``\delta_1`` is defined."""
    first = chain.members[0]
    stage = desk.stages[0]
    if not isinstance(first, Name) or first.base != "delta" or chain.relations[0] != "=":
        return None
    own = stage.symbols.aliases
    if not any(name.startswith("delta#") for name in own):
        return None
    members, claim = resolve_members(chain, stage.symbols)
    if not isinstance(members[1], Term) or is_slope(members[1]):
        return None
    names, key = alias_letters(first, members[1]), alias_key(first, members[1])
    if key == "delta" or key in own:
        return None
    if names is None:
        return None
    stage.symbols = stage.symbols.with_alias(key, names, members[1])
    words = desk.notebook.say("definition", text=key.replace("#", "_"))
    start = Finding("holds_if", source[first.span[0] : first.span[1]], first.span, assumption=words)
    rest = judge_terms(list(members[1:]), claim, stage, source, desk.notebook)
    return [start, *rest]


def _is_of_layers(slope: Term, stage: Stage) -> bool:
    """Tell whether a derivative is by a pre-activation, as errors are everywhere."""
    by = next(t.args[1] for _, t in walk(slope) if t.op == "gradient")
    if by.op != "element":
        return False
    tensor = any_member(by.data.tensor, stage.symbols)
    return tensor in stage.symbols.preactivations


def _initial(chain: tree.Chain, source: str, desk: Desk) -> list[Finding] | None:
    first, last = chain.members[0], chain.members[-1]
    start = Finding("agrees", source[first.span[0] : first.span[1]], first.span)
    text = source[last.span[0] : last.span[1]]
    if found := initial_scale(chain):
        key, correct = found
        values = {"text": correct if key == "variance" else source[first.span[0] : first.span[1]]}
        words = desk.notebook.say(key, **values)
        mistake = "extra-factor" if key == "initialisation" else "wrong-variable"
        wrong = Finding("wrong", text, last.span, mistake=mistake, hint=words, correct=correct)
        return [start, wrong]
    if is_initial_scale(chain):
        return [start, replace(start, text=text, span=last.span)]
    return None


def _bare_chain_rule(chain: tree.Chain, source: str, desk: Desk) -> list[Finding] | None:
    """The chain rule of quantities that no network declares."""
    if not _unknown(chain, desk):
        return None
    first, last = chain.members[0], chain.members[-1]
    start = Finding("agrees", source[first.span[0] : first.span[1]], first.span)
    text = source[last.span[0] : last.span[1]]
    if chain_sum(chain):
        return [start, replace(start, text=text, span=last.span)]
    if found := chain_alone(chain):
        words = desk.notebook.say("chain-alone", of=found[0], by=found[1], middle=found[2])
        return [start, Finding("holds_if", text, last.span, assumption=words)]
    return None


def _unknown(chain: tree.Chain, desk: Desk) -> bool:
    """Tell whether no stage can read the chain."""
    for stage in _ordered(chain, desk):
        members, _ = resolve_members(chain, stage.symbols)
        if not any(isinstance(m, FormulaError) for m in members):
            return False
    return True


def _clashing(chain: tree.Chain, desk: Desk) -> bool:
    """Tell whether a letter would run over two ranges on the given network."""
    return bool(resolve_members(chain, desk.stages[0].symbols)[1].findings)


def _descent(chain: tree.Chain, source: str, desk: Desk) -> list[Finding] | None:
    """Judge a step of gradient descent by its form where no network declares its names."""
    found = descent(chain)
    if found is None or not _unknown(chain, desk):
        return None
    first, last = chain.members[0], chain.members[-1]
    start = Finding("agrees", source[first.span[0] : first.span[1]], first.span)
    text = source[last.span[0] : last.span[1]]
    if found == "sign":
        return [start, Finding("wrong", text, last.span, mistake="sign")]
    if found == "rate":
        words = desk.notebook.say("rate-one")
        return [
            start,
            Finding("holds_if", text, last.span, assumption=words, mistake="missing-factor"),
        ]
    return [start, replace(start, text=text, span=last.span)]


def _new_symbol(chain: tree.Chain, source: str, desk: Desk) -> list[Finding] | None:
    """An equation without derivatives for a name that nothing declares defines it."""
    first = chain.members[0]
    if len(chain.members) != 2 or not isinstance(first, Name) or has_slopes(chain):
        return None
    alias = first.base in LOSS_NAMES and first.base != desk.symbols.loss and not first.sub
    known = is_known(first, desk) and not alias
    if known or chain.relations[0] != "=" or not _unknown(chain, desk):
        return None
    if not any(True for _ in names_of(chain.members[1])):
        return None
    remember(chain, first, desk)
    words = desk.notebook.say("definition", text=source[first.span[0] : first.span[1]])
    return [
        Finding("holds_if", source[m.span[0] : m.span[1]], m.span, assumption=words)
        for m in chain.members
    ]


def is_known(name: Name, desk: Desk) -> bool:
    """Tell whether a stage that is no generic one can read a name."""
    for stage in [s for s in desk.stages if not s.name] or desk.stages:
        try:
            resolve_member(name, make_reader(stage.symbols))
            return True
        except FormulaError:
            continue
    return False


def _function(chain: tree.Chain, source: str, desk: Desk) -> list[Finding] | None:
    """Judge or learn a function of one number."""
    stage = desk.stages[0]
    found = function_claim(chain, stage.symbols)
    if found is None:
        return None
    name, argument = found
    reader = make_reader(replace(stage.symbols, scalars=(argument,) if argument else ()))
    first = chain.members[0]
    known = function_name(Name(name, (), (), 0, first.span), reader)
    if (
        not known
        or known not in (*stage.symbols.network_functions, *stage.symbols.defined)
        and (stage.network.functions.get(known) is None and known not in _ELEMENTARY)
    ):
        return _learn_function(chain, name, argument, source, desk)
    told = {**stage.symbols.defined, **desk.told}
    scalars = replace(stage.symbols, scalars=(argument,) if argument else (), defined=told)
    scene = Stage(scalars, stage.worlds, stage.name)
    members, claim = resolve_members(chain, scalars)
    findings = judge_terms(members, claim, scene, source, desk.notebook)
    if any(f.verdict == "wrong" for f in findings) and isinstance(first, tree.Product):
        primes = first.factors[0].primes if isinstance(first.factors[0], Name) else 0
        own = stage.network.functions.get(known)
        unknown = own is not None and own.body is None
        if not primes and (unknown or name in ("f", "g", "phi", "h", "F")):
            return _learn_function(chain, name, argument, source, desk)
    return findings


_ELEMENTARY = ("exp", "log", "tanh", "sinh", "cosh", "sin", "cos", "sqrt", "abs")


def _learn_function(
    chain: tree.Chain, name: str, argument: str, source: str, desk: Desk
) -> list[Finding] | None:
    """Take ``f(x) = ...`` for the definition of f."""
    first = chain.members[0]
    if not isinstance(first, tree.Product) or not argument:
        return None
    stage = desk.stages[0]
    scalars = replace(stage.symbols, scalars=(argument,))
    try:
        body = resolve_member(chain.members[1], make_reader(scalars))
    except FormulaError as error:
        return [unread(error, desk.notebook, source)]
    if name in stage.network.functions:  # the network has it as unknown: it stays so there
        desk.told[name] = (argument, body)
    for each in desk.stages[:1] if name not in desk.told else ():
        each.symbols = replace(
            each.symbols, defined={**each.symbols.defined, name: (argument, body)}
        )
    words = desk.notebook.say("definition", text=name)
    return [
        Finding("agrees", source[m.span[0] : m.span[1]], m.span, reason=words)
        for m in chain.members
    ]
