"""An interpreter of the PTX that clang makes of the kernels for tensor cores, so that their lanes' arithmetic runs
somewhere without an NVIDIA GPU: integer and float32 instructions, ldmatrix, mma.sync, cp.async, barriers.

A kernel becomes a Python generator, one for each work-item, which stops where work-items meet. Every other instruction is
done by one work-item after another, as far as it gets: what may happen before something else does. cp.async takes place
at once or as late as its wait_group allows, as `Machine.copies_late` says; whoever waits too little is found by the
latter, whoever writes over what others still read by the former.

Sources: NVIDIA's Parallel Thread Execution ISA 8, "Matrix Fragments for mma.m16n8k8" and "… m16n8k16", "Warp-level matrix
load instruction: ldmatrix", "Data Movement and Conversion Instructions: Asynchronous copy".
"""
import re
import struct

WARP = 32
KINDS = {"8": "B", "16": "H", "32": "I", "64": "Q"}


class Trap(Exception):
    """What a GPU would not do, or this does not know."""


def to_bits(value):
    try:
        return struct.unpack("<I", struct.pack("<f", value))[0]
    except OverflowError:
        return 0x7F800000 if value > 0 else 0xFF800000


def to_float(bits):
    return struct.unpack("<f", struct.pack("<I", bits & 0xFFFFFFFF))[0]


def rounded(value):
    return to_float(to_bits(value))


def half_to_float(bits):
    return struct.unpack("<e", struct.pack("<H", bits & 0xFFFF))[0]


def float_to_half(value):
    return struct.unpack("<H", struct.pack("<e", value))[0]


def float_to_bfloat16(value):
    bits = to_bits(value)
    return (bits + 0x7FFF + (bits >> 16 & 1)) >> 16


def to_tf32(value):
    bits = to_bits(value)
    return bits if bits & 0x7F800000 == 0x7F800000 else (bits + 0x1000) & 0xFFFFE000


def signed(value, width):
    half = 1 << (width - 1)
    return ((value & (2 * half - 1)) ^ half) - half


def divided(a, b):
    """Towards zero."""
    quotient = abs(a) // abs(b)
    return quotient if (a < 0) == (b < 0) else -quotient


class Memory:
    """Global memory: buffers far apart, and nothing between them."""

    def __init__(self):
        self.buffers = []

    def buffer(self, format_, values):
        self.buffers.append(bytearray(struct.pack(f"<{len(values)}{format_}", *values)))
        return len(self.buffers) << 36

    def place(self, address, count):
        index, offset = (address >> 36) - 1, address & (1 << 36) - 1
        if not 0 <= index < len(self.buffers) or offset + count > len(self.buffers[index]) or offset % count:
            raise Trap(f"an access of {count} bytes at {address:#x}, outside every buffer or not aligned")
        return self.buffers[index], offset

    def values(self, address, format_):
        buffer = self.buffers[(address >> 36) - 1]
        return list(struct.unpack(f"<{len(buffer) // struct.calcsize(format_)}{format_}", buffer))


class Shared:
    """A work-group's local memory. Reading what nobody wrote is an error."""

    def __init__(self, byte_count):
        self.bytes = bytearray(byte_count)
        self.written = bytearray(byte_count)

    def place(self, address, count):
        if address < 0 or address + count > len(self.bytes) or address % count:
            raise Trap(f"an access of {count} bytes of local memory at {address}, outside it or not aligned")
        return self.bytes, address

    def read(self, address, count):
        self.place(address, count)
        if not all(self.written[address:address + count]):
            raise Trap(f"{count} bytes of local memory at {address} are read and were never written")
        return self.bytes[address:address + count]

    def write(self, address, data):
        self.place(address, len(data))
        self.bytes[address:address + len(data)] = data
        self.written[address:address + len(data)] = b"\1" * len(data)


class Kernel:
    """A kernel of a PTX file, as Python."""

    def __init__(self, ptx, name):
        text = re.sub(r"//[^\n]*", "", ptx)
        entry = re.search(rf"\.entry {name}\((.*?)\)([^{{]*)\{{(.*?)\n\}}", text, re.DOTALL)
        if not entry:
            raise Trap(f"there is no kernel {name}")
        parameters, body = entry[1], entry[3]
        self.parameters, offset = {}, 0
        for alignment, byte_count, kind, parameter in re.findall(
                r"\.param (?:\.align (\d+) )?\.(?:b8|(u\d+|b\d+|f\d+))(.*?)(\w+_param_\d+(?:\[\d+\])?)", parameters):
            array = re.search(r"\[(\d+)\]", parameter)
            count = int(array[1]) if array else int(byte_count[1:]) // 8
            align = int(alignment) if array else count
            offset = (offset + align - 1) // align * align
            self.parameters[parameter.split("[")[0]] = offset
            offset += count
        self.parameter_count, self.shared, self.shared_count = offset, {}, 0
        # Variables of local memory are declared in the kernel or in front of it.
        for align, variable, count in re.findall(r"\.shared \.align (\d+) \.b8 (\S+)\[(\d+)\];", text):
            start = (self.shared_count + int(align) - 1) // int(align) * int(align)
            if variable in body:
                self.shared[variable], self.shared_count = start, start + int(count)
        scope = {}
        exec(compile(self.translate(body), name, "exec"), globals(), scope)
        self.run = scope["run"]

    def translate(self, body):
        body = re.sub(r"^\s*\.(?:reg|shared)\s[^;]*;", "", body, flags=re.MULTILINE)
        statements = [line.strip() for line in body.replace("\n\t\t", " ").split("\n")]
        blocks, label = [("entry", [])], re.compile(r"^(\$\w+):$")
        for statement in statements:
            if found := label.match(statement):
                blocks.append((found[1], []))
            elif statement:
                blocks[-1][1].append(statement.rstrip(";"))
        self.labels = {name: number for number, (name, _) in enumerate(blocks)}
        lines = ["def run(item, machine):", "    block = 0", "    g, shared, param = machine.memory, machine.shared, "
                 "machine.parameters", "    tid, ctaid, ntid, nctaid = item.tid, machine.group, machine.size, machine.groups",
                 "    while True:"]
        for number, (_, code) in enumerate(blocks):
            lines.append(f"        {'if' if number == 0 else 'elif'} block == {number}:")
            for statement in code:
                lines += ["            " + line for line in self.statement(statement)]
            lines.append(f"            block = {number + 1}")
        # A generator even where work-items never meet.
        lines += ["        else:", "            return", "            yield"]
        return "\n".join(lines)

    def statement(self, text):
        guard = re.match(r"@(!?)(%p\d+)\s+(.*)", text)
        if guard:
            inner = self.statement(guard[3])
            return [f"if {'not ' if guard[1] else ''}{self.value(guard[2])}:"] + ["    " + line for line in inner]
        # Advice to the assembler.
        if text.startswith(".pragma"):
            return []
        opcode, rest = re.match(r"(\S+)\s*(.*)", text, re.DOTALL).groups()
        operands = [part.strip() for part in re.findall(r"\{[^}]*\}|\[[^\]]*\]|[^,{}\[\]]+", rest) if part.strip()]
        return self.instruction(opcode, operands)

    def value(self, operand):
        if operand.startswith("%"):
            special = re.match(r"%(tid|ctaid|ntid|nctaid)\.([xyz])$", operand)
            if special:
                return f"{special[1]}[{'xyz'.index(special[2])}]"
            return "lane_id(item)" if operand == "%laneid" else operand[1:]
        if operand.startswith("0f"):
            return f"to_float({int(operand[2:], 16)})"
        if operand in self.shared:
            return str(self.shared[operand])
        if operand in self.parameters:
            return str(self.parameters[operand])
        return f"({int(operand, 0)})"

    def address(self, operand):
        base, _, offset = operand.strip("[]").partition("+")
        return f"({self.value(base.strip())} + {int(offset or 0)})"

    def instruction(self, opcode, operands):
        parts = opcode.split(".")
        name, type_ = parts[0], parts[-1]
        values = [None if operand[0] in "{[" or operand[0] == "$" else self.value(operand) for operand in operands]
        width = int(re.sub(r"\D", "", type_) or 0) if type_[:1] in "subf" else 0
        mask = (1 << width) - 1

        def operand(index):
            return f"signed({values[index]}, {width})" if type_[0] == "s" else f"({values[index]} & {mask})"

        def result(expression):
            return [f"{values[0]} = ({expression}) & {mask}"]

        is_float, is_predicate = type_[0] == "f", type_ == "pred"
        if name == "bra":
            return [f"block = {self.labels[operands[0]]}", "continue"]
        if name == "ret":
            return ["return"]
        if name == "bar":
            return ["yield ('bar',)"]
        if name in ("ld", "st"):
            return self.access(name, parts, operands, type_, width)
        if name == "mov":
            return self.move(operands, values, type_)
        if name == "cvt":
            return self.convert(parts, values)
        if name in ("add", "sub", "mul", "div", "rem", "max", "min") and is_float:
            symbol = {"add": "+", "sub": "-", "mul": "*"}.get(name)
            if symbol:
                return [f"{values[0]} = rounded({values[1]} {symbol} {values[2]})"]
            if opcode == "max.NaN.f32":
                return [f"{values[0]} = {values[1]} if {values[1]} != {values[1]} else max({values[1]}, {values[2]})"]
        elif name in ("add", "sub"):
            return result(f"{values[1]} {'+' if name == 'add' else '-'} {values[2]}")
        elif name == "mul" and parts[1] == "wide":
            return [f"{values[0]} = ({operand(1)} * {operand(2)}) & {(1 << 2 * width) - 1}"]
        elif name == "mul":
            product = f"{operand(1)} * {operand(2)}"
            return result(product if parts[1] == "lo" else f"({product}) >> {width}")
        elif name == "mad":
            return result(f"{values[1]} * {values[2]} + {values[3]}")
        elif name == "div":
            return result(f"divided({operand(1)}, {operand(2)})")
        elif name == "rem":
            return result(f"{operand(1)} - divided({operand(1)}, {operand(2)}) * {operand(2)}")
        elif name in ("max", "min"):
            return result(f"{name}({operand(1)}, {operand(2)})")
        if name == "fma":
            return [f"{values[0]} = rounded({values[1]} * {values[2]} + {values[3]})"]
        if name in ("and", "or", "xor"):
            if is_predicate:
                symbol = {"and": "and", "or": "or", "xor": "!="}[name]
                return [f"{values[0]} = {values[1]} {symbol} {values[2]}"]
            return result(f"{values[1]} {dict(zip(('and', 'or', 'xor'), '&|^'))[name]} {values[2]}")
        if name == "not":
            return [f"{values[0]} = not {values[1]}"] if is_predicate else result(f"~{values[1]}")
        if name == "neg" and not is_float:
            return result(f"-{values[1]}")
        if name == "shl":
            return result(f"{values[1]} << min({values[2]}, 64)")
        if name == "shr":
            return result(f"{operand(1)} >> min({values[2]}, 64)")
        if name == "bfe":
            return result(f"({values[1]} & {mask}) >> {values[2]} & ((1 << {values[3]}) - 1)")
        if name == "selp":
            return [f"{values[0]} = {values[1]} if {values[3]} else {values[2]}"]
        if name == "setp":
            if parts[1] == "num":
                return [f"{values[0]} = {values[1]} == {values[1]} and {values[2]} == {values[2]}"]
            symbol = {"eq": "==", "ne": "!=", "lt": "<", "le": "<=", "gt": ">", "ge": ">="}[parts[1]]
            left, right = (values[1], values[2]) if is_float else (operand(1), operand(2))
            return [f"{values[0]} = {left} {symbol} {right}"]
        return self.collective(opcode, parts, operands, values)

    def access(self, name, parts, operands, type_, width):
        space = parts[1]
        vector = next((int(part[1]) for part in parts if re.fullmatch(r"v[24]", part)), 1)
        registers = operands[0 if name == "ld" else 1].strip("{}").split(",")
        names = [self.value(register.strip()) for register in registers]
        address = self.address(operands[1 if name == "ld" else 0])
        is_half = type_ == "b16" and registers[0].strip().startswith("%h")
        format_ = "<" + ("f" if type_ == "f32" else "e" if is_half else KINDS[str(width)]) * vector
        count = width // 8 * vector
        if space == "param":
            # A register may be wider than what it is loaded from.
            return [f"{names[0]} = struct.unpack_from('{format_}', param, {address})[0]"]
        if name == "ld" and space == "shared":
            return [f"{', '.join(names)}, = struct.unpack('{format_}', shared.read({address}, {count}))"]
        if name == "ld":
            return [f"{', '.join(names)}, = struct.unpack_from('{format_}', *g.place({address}, {count}))"]
        mask = f" & {(1 << width) - 1}"
        stored = ", ".join(value if type_ == "f32" or is_half else value + mask for value in names)
        if space == "shared":
            return [f"shared.write({address}, struct.pack('{format_}', {stored}))"]
        return [f"struct.pack_into('{format_}', *g.place({address}, {count}), {stored})"]

    def move(self, operands, values, type_):
        source, target = operands[1], operands[0]
        if source[0] == "{":
            low, high = (self.half_bits(register.strip()) for register in source.strip("{}").split(","))
            return [f"{values[0]} = {low} | {high} << 16"]
        if target[0] == "{":
            names = [register.strip() for register in target.strip("{}").split(",")]
            halves = [f"{values[1]} & 0xFFFF", f"{values[1]} >> 16"]
            return [f"{name[1:]} = {f'half_to_float({half})' if name.startswith('%h') else half}"
                    for name, half in zip(names, halves)]
        if type_ == "pred":
            return [f"{values[0]} = bool({values[1]})"]
        is_float = [register.startswith("%f") for register in (target, source)]
        if type_ == "b32" and is_float[0] and not is_float[1]:
            return [f"{values[0]} = to_float({values[1]})"]
        if type_ == "b32" and is_float[1] and not is_float[0]:
            return [f"{values[0]} = to_bits({values[1]})"]
        is_half = [register.startswith("%h") for register in (target, source)]
        if type_ == "b16" and is_half[0] and not is_half[1]:
            return [f"{values[0]} = half_to_float({values[1]})"]
        if type_ == "b16" and is_half[1] and not is_half[0]:
            return [f"{values[0]} = float_to_half({values[1]})"]
        if type_ == "f32":
            return [f"{values[0]} = {values[1]}"]
        return [f"{values[0]} = {values[1]} & {(1 << int(type_[1:])) - 1}"]

    def half_bits(self, register):
        value = self.value(register)
        return f"float_to_half({value})" if register.startswith("%h") else value

    def convert(self, parts, values):
        form = ".".join(parts[1:])
        known = {
            "f32.f16": "{1}", "rn.f16.f32": "half_to_float(float_to_half({1}))", "rna.tf32.f32": "to_tf32({1})",
            "rn.bf16x2.f32": "float_to_bfloat16({2}) | float_to_bfloat16({1}) << 16",
            "rn.f16x2.f32": "float_to_half({2}) | float_to_half({1}) << 16",
        }
        if form in known:
            expression = known[form].replace("{1}", values[1]).replace("{2}", values[2] if len(values) > 2 else "")
            return [f"{values[0]} = {expression}"]
        target, source = parts[-2], parts[-1]
        if target == "f32":
            number = f"signed({values[1]}, {source[1:]})" if source[0] == "s" else values[1]
            return [f"{values[0]} = rounded(float({number}))"]
        if source == "f32":
            return [f"{values[0]} = int({values[1]}) & {(1 << int(target[1:])) - 1}"]
        number = (f"signed({values[1]}, {source[1:]})" if source[0] == "s"
                  else f"{values[1]} & {(1 << int(source[1:])) - 1}")
        return [f"{values[0]} = ({number}) & {(1 << int(target[1:])) - 1}"]

    def collective(self, opcode, parts, operands, values):
        name = parts[0]

        def registers(index):
            return [self.value(register.strip()) for register in operands[index].strip("{}").split(",")]

        if re.match(r"cp\.async\.c[ag]\.shared\.global$", opcode):
            address, source = self.address(operands[0]), self.address(operands[1])
            return [f"machine.copy(item, {address}, {source}, {values[3]})"]
        if opcode == "cp.async.commit_group":
            return ["machine.commit(item)"]
        if opcode == "cp.async.wait_group":
            return [f"machine.wait(item, {values[0]})"]
        if opcode.startswith("ldmatrix"):
            count, form = int(parts[4][1]), "trans" if "trans" in parts else ""
            return [f"{', '.join(registers(0))} = yield ('ldmatrix', {self.address(operands[1])}, {count}, '{form}')"]
        if opcode.startswith("mma"):
            kind = parts[-3]
            inputs = ", ".join(name for index in (1, 2, 3) for name in registers(index))
            return [f"{', '.join(registers(0))} = yield ('mma', '{kind}', {inputs})"]
        if name == "fence":
            # Groups run one after another.
            return ["pass"]
        if name == "atom":
            address = self.address(operands[1])
            if parts[-2] not in ("add", "exch", "inc"):
                raise Trap(f"{opcode} is not known to this interpreter")
            return [f"{values[0]} = machine.atomic({address}, '{parts[-2]}', {values[2]})"]
        if opcode.startswith("shfl.sync"):
            return [f"{values[0]} = yield ('shfl', '{parts[2]}', {values[1]}, {values[2]})"]
        raise Trap(f"{opcode} is not known to this interpreter")


class Item:
    def __init__(self, tid):
        self.tid = tid
        self.pending = []
        self.groups = []


def lane_id(item):
    return item.tid[0] % WARP


class Warp:
    def __init__(self, items, kernel, machine):
        self.machine = machine
        self.runs = [kernel.run(item, machine) for item in items]

    def advance(self):
        """Until every work-item is at a barrier, or has ended."""
        answers = [None] * len(self.runs)
        while self.runs:
            requests, runs = [], []
            for run, answer in zip(self.runs, answers):
                try:
                    requests.append(run.send(answer))
                    runs.append(run)
                except StopIteration:
                    pass
            self.runs = runs
            if all(request == ("bar",) for request in requests):
                return
            if len(runs) != WARP:
                raise Trap("not all lanes of a warp come to where they meet")
            answers = self.machine.meet(requests)


class Machine:
    def __init__(self, memory, copies_late):
        self.memory, self.copies_late = memory, copies_late
        self.counts = {}

    def launch(self, kernel, groups, size, arguments):
        """`groups` and `size` are (x, y, z); arguments are packed bytes in the parameters' order."""
        self.groups, self.size = groups, size
        self.parameters = bytearray(kernel.parameter_count)
        for offset, argument in zip(kernel.parameters.values(), arguments, strict=True):
            self.parameters[offset:offset + len(argument)] = argument
        for z in range(groups[2]):
            for y in range(groups[1]):
                for x in range(groups[0]):
                    self.group = (x, y, z)
                    self.run_group(kernel)

    def run_group(self, kernel):
        self.shared = Shared(kernel.shared_count)
        x, y, z = self.size
        items = [Item((i % x, i // x % y, i // (x * y))) for i in range(x * y * z)]
        warps = [Warp(items[first:first + WARP], kernel, self) for first in range(0, len(items), WARP)]
        # Each warp goes to the next barrier before another begins, which finds who should have waited there.
        while any(warp.runs for warp in warps):
            for warp in warps if self.copies_late else reversed(warps):
                warp.advance()
            waiting = sum(len(warp.runs) for warp in warps)
            if waiting not in (0, len(items)):
                raise Trap("work-items have ended while others wait at a barrier")
        if any(item.groups or item.pending for item in items):
            raise Trap("a work-item ends while copies are on their way")

    def atomic(self, address, name, operand):
        """The word that was there, of 32 bits."""
        buffer, offset = self.memory.place(address, 4)
        old = struct.unpack_from("<I", buffer, offset)[0]
        new = {"add": old + operand, "exch": operand, "inc": 0 if old >= operand else old + 1}[name]
        struct.pack_into("<I", buffer, offset, new & 0xFFFFFFFF)
        return old

    # Asynchronous copies

    def copy(self, item, to, source, byte_count):
        if to % 16 or source % 16:
            raise Trap("an asynchronous copy of 16 bytes is not aligned")
        if self.copies_late:
            item.pending.append((to, source, byte_count))
        else:
            self.do_copy(to, source, byte_count)
            item.pending.append(None)

    def do_copy(self, to, source, byte_count):
        data = bytes(16)
        if byte_count:
            buffer, offset = self.memory.place(source, byte_count)
            data = bytes(buffer[offset:offset + byte_count]) + bytes(16 - byte_count)
        self.shared.write(to, data)

    def commit(self, item):
        item.groups.append(item.pending)
        item.pending = []

    def wait(self, item, count):
        while len(item.groups) > count:
            for copy in item.groups.pop(0):
                if copy:
                    self.do_copy(*copy)

    # What the lanes of a warp do together

    def meet(self, requests):
        if len(requests) != WARP or len({request[0] for request in requests}) > 1:
            raise Trap(f"a warp's lanes are at different instructions: {sorted({request[0] for request in requests})}")
        name = requests[0][0]
        self.counts[name] = self.counts.get(name, 0) + 1
        return getattr(self, name)(requests)

    def shfl(self, requests):
        form = requests[0][1]
        return [requests[lane ^ request[3] if form == "bfly" else request[3] & 31][2]
                for lane, request in enumerate(requests)]

    def ldmatrix(self, requests):
        """Matrix m's rows are where lanes 8m … 8m + 7 say; lane l gets elements 2 (l % 4) and the next of row l / 4, or
        transposed the l / 4-th elements of rows 2 (l % 4) and the next."""
        count, form = requests[0][2], requests[0][3]
        answers = [[] for _ in requests]
        for matrix in range(count):
            if len({requests[8 * matrix + row][1] // 16 % 8 for row in range(8)}) < 8:
                self.counts["bank conflict"] = self.counts.get("bank conflict", 0) + 1
            rows = [struct.unpack("<8H", self.shared.read(requests[8 * matrix + row][1], 16)) for row in range(8)]
            for lane, answer in enumerate(answers):
                row, column = lane // 4, lane % 4 * 2
                low, high = ((rows[column][row], rows[column + 1][row]) if form
                             else (rows[row][column], rows[row][column + 1]))
                answer.append(low | high << 16)
        return answers

    def mma(self, requests):
        """D [16][8] = A · B + C; of a word's two halves the low one is the earlier k."""
        kind = requests[0][1]
        depth = 8 if kind == "tf32" else 16
        a = [[0.0] * depth for _ in range(16)]
        b = [[0.0] * 8 for _ in range(depth)]
        for lane, request in enumerate(requests):
            words, row, t = request[2:], lane // 4, lane % 4
            for number, word in enumerate(words[:4]):
                self.put(kind, word, lambda k, value, r=row + number % 2 * 8: a[r].__setitem__(k, value),
                         t + number // 2 * 4)
            for number, word in enumerate(words[4:6]):
                self.put(kind, word, lambda k, value: b[k].__setitem__(row, value), t + number * 4)
        answers = []
        columns = list(zip(*b))
        for lane, request in enumerate(requests):
            row, column = lane // 4, lane % 4 * 2
            places = [(row, column), (row, column + 1), (row + 8, column), (row + 8, column + 1)]
            answers.append([rounded(c + sum(x * y for x, y in zip(a[r], columns[n])))
                            for (r, n), c in zip(places, request[8:])])
        return answers

    @staticmethod
    def put(kind, word, store, place):
        """`place` counts words: those of k8 or, two k each, of k16."""
        if kind == "tf32":
            # The hardware does not look at the lower bits.
            store(place, to_float(word & 0xFFFFE000))
            return
        for half in range(2):
            bits = word >> 16 * half & 0xFFFF
            store(2 * place + half, to_float(bits << 16) if kind == "bf16" else half_to_float(bits))
