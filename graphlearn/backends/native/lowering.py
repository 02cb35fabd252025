"""A front end of our own: the text of a generated function as a module of LLVM, in a tenth of the time of Numba's.

It knows what generated source is written with and nothing else: assignments, loops over ranges, branches, entries of
arrays, arithmetic and the functions of ours. Whatever else a text holds is `Unknown`, and Numba compiles it.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

from graphlearn.backends.native.expressions import CASTS, Expressions, Typed, Unknown
from graphlearn.backends.native.intrinsics import intrinsics
from graphlearn.backends.native.kinds import INT64, VOID, Intrinsic, Kind, llvm_type
from graphlearn.backends.native.laned import laned_names
from graphlearn.backends.native.names import names_in_memory
from graphlearn.backends.native.signature import Signature

_ROUNDS = 16  # of a loop that is written out
_BUILT_IN = {*CASTS, "abs", "min", "max", "range", "math"}


def lower(source: str, entry: str, symbol: str, signature: Signature, flags: tuple[str, ...]) -> Any:
    """The module of a function, which takes what Numba's do: result and exception pointers first; 0 is its status.

    Args:
        source: Python text that defines the function and nothing else.
        entry: its name.
        symbol: its name in the module.
        signature: its parameters and result.
        flags: of floating-point arithmetic.

    Returns:
        An ``llvmlite.ir.Module``.

    Raises:
        Unknown: the text holds something else.
        SyntaxError: it is not Python.
    """
    from llvmlite import ir

    function = _function_of(source, entry, len(signature.parameters))
    module = ir.Module(symbol)
    parameters = [Kind(p.dtype, pointer=p.pointer) for p in signature.parsed()]
    result = Kind(signature.result)
    address = ir.IntType(8).as_pointer()
    back = address if result == VOID else llvm_type(result).as_pointer()
    kinds = [back, address, *map(llvm_type, parameters)]
    made = ir.Function(module, ir.FunctionType(ir.IntType(32), kinds), symbol)
    made.args[0].add_attribute("noalias")
    made.args[1].add_attribute("noalias")
    arguments = [Typed(kind, raw) for kind, raw in zip(parameters, made.args[2:], strict=True)]
    names = {**intrinsics(), **laned_names(source)}
    _Statements(made, result, names, flags, names_in_memory(function)).write(function, arguments)
    return module


def _function_of(source: str, entry: str, parameters: int) -> ast.FunctionDef:
    """The one function that a text defines, whose parameters are names and nothing else."""
    tree = ast.parse(source)
    function = tree.body[0] if len(tree.body) == 1 else None
    if not isinstance(function, ast.FunctionDef) or function.name != entry:
        raise Unknown("a text that is not one function of that name")
    names = [argument.arg for argument in function.args.args]
    if ast.unparse(function.args) != ", ".join(names) or function.decorator_list:
        raise Unknown("parameters that have more than a name")
    if len(names) != parameters:
        raise Unknown(f"{len(names)} parameters where the signature has {parameters}")
    return function


class _Loop(NamedTuple):
    """Where ``continue`` and ``break`` go."""

    next: Any
    end: Any


class _Statements:
    """Writes the statements of one function."""

    def __init__(
        self,
        function: Any,
        result: Kind,
        names: Mapping[str, Intrinsic],
        flags: tuple[str, ...],
        kept: frozenset[str],
    ) -> None:
        from llvmlite import ir

        self._function = function
        self._result = result
        self._kept = kept
        self._known = {*names, *_BUILT_IN}
        self._entry = function.append_basic_block("entry")  # holds places alone, until its end is known
        self._builder = ir.IRBuilder(function.append_basic_block("body"))
        self._places: dict[str, tuple[Kind, Any]] = {}
        self._values: dict[str, Typed] = {}
        self._loops: list[_Loop] = []
        self._expressions = Expressions(self._builder, flags, names, self._read)
        self._writers: dict[type[ast.stmt], Callable[[Any], None]] = {
            ast.Assign: self._assignment, ast.AugAssign: self._augmented, ast.For: self._loop, ast.If: self._branch,
            ast.While: self._while,
            ast.Return: self._return, ast.Expr: self._expression, ast.Break: self._jump, ast.Continue: self._jump,
            ast.Pass: lambda node: None,
        }  # fmt: skip

    def write(self, function: ast.FunctionDef, arguments: Sequence[Typed]) -> None:
        """Write the whole function."""
        start = self._builder.block
        for argument, value in zip(function.args.args, arguments, strict=True):
            self._assign(argument.arg, value)
        self._block(function.body)
        if not self._builder.block.is_terminated:
            self._return(ast.Return(value=None))
        with self._builder.goto_block(self._entry):
            self._builder.branch(start)

    def _block(self, statements: Sequence[ast.stmt]) -> None:
        """Statements in order; what stands behind the end of a block is never reached."""
        for statement in statements:
            if self._builder.block.is_terminated:
                return
            writer = self._writers.get(type(statement))
            if writer is None:
                raise Unknown(f"the statement {ast.unparse(statement)}")
            writer(statement)

    @contextmanager
    def _scope(self) -> Iterator[None]:
        """Names of one value that are assigned in a block are unknown after it."""
        before = dict(self._values)
        yield
        self._values = before

    # --- names -------------------------------------------------------------------------------------------------------

    def _read(self, name: str) -> Typed | None:
        place = self._places.get(name)
        return Typed(place[0], self._builder.load(place[1])) if place else self._values.get(name)

    def _assign(self, name: str, value: Typed) -> None:
        if name in self._known:
            raise Unknown(f"an assignment to {name}")
        if name not in self._kept:
            self._values[name] = value
            return
        if name not in self._places:
            with self._builder.goto_block(self._entry):
                self._places[name] = value.kind, self._builder.alloca(llvm_type(value.kind))
        kind, place = self._places[name]
        if kind != value.kind and not (kind == INT64 and value.kind.is_integer):
            raise Unknown(f"{name} as a {kind} and as a {value.kind}")
        self._builder.store(self._expressions.fitted(value, kind, name), place)

    def _put(self, target: ast.expr, value: Typed) -> None:
        if isinstance(target, ast.Name):
            self._assign(target.id, value)
        elif isinstance(target, ast.Subscript):
            kind, address = self._expressions.place(target)
            if kind.is_integer and value.kind.is_float:
                raise Unknown(f"a {value.kind} in an array of {kind}")
            self._builder.store(self._expressions.fitted(value, kind, "an entry"), address)
        else:
            raise Unknown(f"an assignment to {ast.unparse(target)}")

    # --- statements --------------------------------------------------------------------------------------------------

    def _assignment(self, node: ast.Assign) -> None:
        (target,) = node.targets if len(node.targets) == 1 else (None,)
        if isinstance(target, ast.Tuple) and isinstance(node.value, ast.Tuple):
            if len(target.elts) != len(node.value.elts):
                raise Unknown(ast.unparse(node))
            values = [self._expressions.value(v) for v in node.value.elts]
            for part, value in zip(target.elts, values, strict=True):
                self._put(part, value)
        elif target is not None:
            self._put(target, self._expressions.value(node.value))
        else:
            raise Unknown(ast.unparse(node))

    def _augmented(self, node: ast.AugAssign) -> None:
        if isinstance(node.target, ast.Subscript):
            kind, address = self._expressions.place(node.target)
            before = Typed(kind, self._builder.load(address))
            after = self._expressions.operation(node.op, before, self._expressions.value(node.value))
            self._builder.store(self._expressions.fitted(after, kind, "an entry"), address)
        elif isinstance(node.target, ast.Name):
            before = self._expressions.value(ast.Name(node.target.id, ast.Load()))
            self._assign(
                node.target.id, self._expressions.operation(node.op, before, self._expressions.value(node.value))
            )
        else:
            raise Unknown(ast.unparse(node))

    def _expression(self, node: ast.Expr) -> None:
        if not isinstance(node.value, ast.Constant):  # a docstring
            self._expressions.any(node.value)

    def _return(self, node: ast.Return) -> None:
        value = None if node.value is None else self._expressions.value(node.value)
        if (value is None) != (self._result == VOID):
            raise Unknown(f"a function that returns {self._result}, and its {ast.unparse(node)}")
        if value is not None:
            self._builder.store(self._expressions.fitted(value, self._result, "the result"), self._function.args[0])
        self._builder.ret(self._function.ftype.return_type(0))

    def _jump(self, node: ast.Break | ast.Continue) -> None:
        loop = self._loops[-1]
        self._builder.branch(loop.end if isinstance(node, ast.Break) else loop.next)

    def _branch(self, node: ast.If) -> None:
        builder = self._builder
        condition = self._expressions.truth(self._expressions.value(node.test))
        then, end = builder.append_basic_block(), builder.append_basic_block()
        otherwise = builder.append_basic_block() if node.orelse else end
        builder.cbranch(condition, then, otherwise)
        for block, statements in ((then, node.body), (otherwise, node.orelse)):
            if block is end:
                continue
            builder.position_at_end(block)
            with self._scope():
                self._block(statements)
            if not builder.block.is_terminated:
                builder.branch(end)
        builder.position_at_end(end)

    def _loop(self, node: ast.For) -> None:
        """A loop over a range, with its test at the end: LLVM turns every loop into one of this form."""
        if not isinstance(node.target, ast.Name) or node.orelse or node.target.id in self._values:
            raise Unknown(f"the loop for {ast.unparse(node.target)}")
        rounds = _rounds(node, node.target.id)
        for _ in range(rounds):
            with self._scope():
                self._block(node.body)
        if rounds:
            return
        builder, step, (start, stop) = self._builder, *self._range(node.iter)
        sign = "<" if step > 0 else ">"
        before = builder.block
        body, after, end = (builder.append_basic_block() for _ in range(3))
        builder.cbranch(builder.icmp_signed(sign, start, stop), body, end)
        builder.position_at_end(body)
        counter = builder.phi(llvm_type(INT64))
        counter.add_incoming(start, before)
        self._loops.append(_Loop(after, end))
        with self._scope():
            self._assign(node.target.id, Typed(INT64, counter))
            self._block(node.body)
        self._loops.pop()
        if not builder.block.is_terminated:
            builder.branch(after)
        builder.position_at_end(after)
        following = builder.add(counter, counter.type(step), flags=("nsw",))
        counter.add_incoming(following, after)
        builder.cbranch(builder.icmp_signed(sign, following, stop), body, end)
        builder.position_at_end(end)

    def _while(self, node: ast.While) -> None:
        if node.orelse:
            raise Unknown(ast.unparse(node))
        builder = self._builder
        test, body, end = (builder.append_basic_block() for _ in range(3))
        builder.branch(test)
        builder.position_at_end(test)
        builder.cbranch(self._expressions.truth(self._expressions.value(node.test)), body, end)
        builder.position_at_end(body)
        self._loops.append(_Loop(test, end))
        with self._scope():
            self._block(node.body)
        self._loops.pop()
        if not builder.block.is_terminated:
            builder.branch(test)
        builder.position_at_end(end)

    def _range(self, node: ast.expr) -> tuple[int, tuple[Any, Any]]:
        """Step, first number and bound of ``range(...)``."""
        if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "range"):
            raise Unknown(f"a loop over {ast.unparse(node)}")
        given = [self._expressions.value(a) for a in node.args]
        if node.keywords or not 1 <= len(given) <= 3:
            raise Unknown(ast.unparse(node))
        step = given[2].literal if len(given) == 3 else 1
        if not isinstance(step, int) or not step:
            raise Unknown(f"a step that is no number in {ast.unparse(node)}")
        start = self._expressions.fitted(given[0], INT64, "range") if len(given) > 1 else llvm_type(INT64)(0)
        return step, (start, self._expressions.fitted(given[min(1, len(given) - 1)], INT64, "range"))


def _rounds(node: ast.For, index: str) -> int:
    """How often a body is written out that is the same each time, such as a round of Philox; 0: it stays a loop."""
    match node.iter:
        case ast.Call(func=ast.Name(id="range"), args=[ast.Constant(value=int(rounds))]) if 0 < rounds <= _ROUNDS:
            inner = [part for statement in node.body for part in ast.walk(statement)]
            leaves = (ast.For, ast.While, ast.Break, ast.Continue, ast.Return)
            known = any(isinstance(part, ast.Name) and part.id == index for part in inner)
            return 0 if known or any(isinstance(part, leaves) for part in inner) else rounds
    return 0
