"""Exact arithmetic on fractions, with a limit on the work of one expression."""

import ast
import decimal
import math
import operator
from collections.abc import Callable, Mapping
from decimal import Decimal
from fractions import Fraction
from typing import NamedTuple

from polyant.adapters.tools.expression import MAX_CHARACTERS, MAX_NESTING, parse
from polyant.domain.tools import ToolError

_MAX_BITS = 8_192
"""The maximum size of numerator and denominator; 2466 decimal digits."""
_MAX_WORK = 32 * _MAX_BITS
"""The maximum total size of the operands of all operations, in bits; a few milliseconds of work."""
_MAX_ROUNDING = 1_000
_SHOWN_DIGITS = 30
_ROOT_DIGITS = 50


class Number(NamedTuple):
    """A value, and whether it is exact or rounded."""

    value: Fraction
    exact: bool = True

    @property
    def bits(self) -> int:
        return max(self.value.numerator.bit_length(), self.value.denominator.bit_length())


def evaluate(text: str) -> Number:
    """Returns the value of an arithmetic expression.

    Raises:
        ToolError: The expression is invalid, has no value, or needs too much work; the message says which.
    """
    tree, source = parse(text)
    try:
        return _Evaluation(source).number(tree)
    except ZeroDivisionError:
        raise ToolError("Division by zero") from None


def describe(number: Number) -> str:
    """Returns the number as text: an integer, or a fraction and its decimal expansion; `≈` marks a rounded one."""
    value = number.value
    if number.exact and value.denominator == 1:
        return f"{value}"
    context = decimal.Context(prec=_SHOWN_DIGITS)
    expansion = _expansion(value, context).normalize(context)
    plain = abs(expansion.adjusted()) < _SHOWN_DIGITS
    shown = f"{expansion:f}" if plain else f"{expansion}"
    if not number.exact:
        return f"≈ {shown}"
    return f"{value} {'≈' if context.flags[decimal.Inexact] else '='} {shown}"


class _Evaluation:
    """Evaluates one expression and limits its work."""

    def __init__(self, source: str) -> None:
        self._source = source
        self._work_left = _MAX_WORK

    def number(self, node: ast.expr, depth: int = 0) -> Number:
        """Returns the value of a node; left-associative chains such as 1+1+1+… are evaluated without recursion."""
        if depth > 2 * MAX_NESTING:
            raise ToolError("The expression is nested too deeply. Calculate it in parts")
        chain: list[ast.BinOp] = []
        while isinstance(node, ast.BinOp):
            chain.append(node)
            node = node.left
        result = self._operand(node, depth + 1)
        for step in reversed(chain):
            operation = _OPERATIONS[type(step.op)]
            result = self._apply(operation, [result, self.number(step.right, depth + 1)])
        return result

    def _operand(self, node: ast.expr, depth: int) -> Number:
        match node:
            case ast.Constant():
                return self._apply(_identity, [_literal(self._source[node.col_offset : node.end_col_offset])])
            case ast.Name(id=name) if name in _CONSTANTS:
                return _CONSTANTS[name]
            case ast.UnaryOp(op=ast.USub(), operand=operand):
                return self._apply(_negative, [self.number(operand, depth)])
            case ast.UnaryOp(op=ast.UAdd(), operand=operand):
                return self.number(operand, depth)
            case ast.Call(func=ast.Name(id=name), args=arguments, keywords=[]) if name in _FUNCTIONS:
                function, minimum, maximum = _FUNCTIONS[name]
                if not minimum <= len(arguments) <= maximum:
                    raise ToolError(f"{name} takes {_argument_count(minimum, maximum)}, not {len(arguments)}")
                return self._apply(function, [self.number(argument, depth) for argument in arguments])
            case ast.Tuple(elts=[_, *_]):
                raise ToolError("A comma only separates the arguments of a function: write 1000, not 1,000")
        raise ToolError(f"This can't be calculated: {self._source[node.col_offset : node.end_col_offset][:60]}")

    def _apply(self, operation: "_Operation", operands: list[Number]) -> Number:
        self._work_left -= sum(operand.bits for operand in operands)
        if self._work_left < 0:
            raise ToolError("The expression needs too much work. Calculate it in parts, or with smaller numbers")
        result = operation(*operands)
        if result.bits > _MAX_BITS:
            raise _too_large_error()
        return result


_Operation = Callable[..., Number]


def _too_large_error() -> ToolError:
    return ToolError("An intermediate result is too large or too precise: it would have more than 2466 digits")


def _argument_count(minimum: int, maximum: int) -> str:
    if minimum == maximum:
        return "1 argument"
    return f"{minimum} or {maximum} arguments" if maximum == minimum + 1 else f"at least {minimum} argument"


def _literal(digits: str) -> Number:
    """Returns the exact value of a literal: 0.1 is one tenth, unlike a Python float."""
    prefixed = digits[:2].lower() in {"0x", "0o", "0b"}
    return Number(Fraction(int(digits, 0)) if prefixed else Fraction(digits.rstrip(".")))


def _exactly(operation: Callable[..., Fraction | int]) -> _Operation:
    """Lifts an operation on fractions to numbers; the result is exact if all operands are."""

    def apply(*operands: Number) -> Number:
        value = operation(*(operand.value for operand in operands))
        return Number(Fraction(value), all(operand.exact for operand in operands))

    return apply


_identity = _exactly(lambda value: value)
_negative = _exactly(operator.neg)


def _power(base: Number, exponent: Number) -> Number:
    if exponent.value.denominator != 1:
        return _fractional_power(base, exponent)
    if (base.bits - 1) * abs(exponent.value.numerator) > _MAX_BITS:  # a lower bound of the result's size
        raise _too_large_error()
    return Number(base.value ** int(exponent.value), base.exact and exponent.exact)


def _fractional_power(base: Number, exponent: Number) -> Number:
    if base.value < 0:
        raise ToolError("A negative number to a fractional power has no real value")
    if base.value == 0:
        if exponent.value < 0:
            raise ZeroDivisionError
        return base
    context = decimal.Context(prec=_ROOT_DIGITS, Emax=_MAX_BITS, Emin=-_MAX_BITS)
    try:
        result = context.power(_expansion(base.value, context), _expansion(exponent.value, context))
    except decimal.Overflow:
        raise _too_large_error() from None
    return Number(Fraction(result), exact=False)


def _expansion(value: Fraction, context: decimal.Context) -> Decimal:
    return context.divide(Decimal(value.numerator), Decimal(value.denominator))


def _square_root(number: Number) -> Number:
    if number.value < 0:
        raise ToolError("A negative number has no real square root")
    numerator, denominator = number.value.as_integer_ratio()
    square = numerator * denominator
    root = math.isqrt(square)
    if root * root == square:
        return Number(Fraction(root, denominator), number.exact)
    scale = 10**_ROOT_DIGITS
    return Number(Fraction(math.isqrt(square * scale * scale), denominator * scale), exact=False)


def _round(value: Fraction, digits: Fraction = Fraction(0)) -> Fraction | int:
    if digits.denominator != 1 or abs(digits) > _MAX_ROUNDING:
        raise ToolError(f"round takes a whole number of digits from -{_MAX_ROUNDING} to {_MAX_ROUNDING}")
    return round(value, int(digits))


_OPERATIONS: Mapping[type[ast.operator], _Operation] = {
    ast.Add: _exactly(operator.add),
    ast.Sub: _exactly(operator.sub),
    ast.Mult: _exactly(operator.mul),
    ast.Div: _exactly(operator.truediv),
    ast.FloorDiv: _exactly(operator.floordiv),
    ast.Mod: _exactly(operator.mod),
    ast.Pow: _power,
}
_FUNCTIONS: Mapping[str, tuple[_Operation, int, int]] = {
    "abs": (_exactly(abs), 1, 1),
    "ceil": (_exactly(math.ceil), 1, 1),
    "floor": (_exactly(math.floor), 1, 1),
    "max": (_exactly(lambda *values: max(values)), 1, MAX_CHARACTERS),
    "min": (_exactly(lambda *values: min(values)), 1, MAX_CHARACTERS),
    "round": (_exactly(_round), 1, 2),
    "sqrt": (_square_root, 1, 1),
}
_CONSTANTS: Mapping[str, Number] = {
    "e": Number(Fraction("2.71828182845904523536028747135266249775724709369995"), exact=False),
    "pi": Number(Fraction("3.14159265358979323846264338327950288419716939937510"), exact=False),
}
