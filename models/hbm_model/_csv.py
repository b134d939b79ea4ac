"""The compiled reader of plainly written lines of a command trace; see `trace.py`."""

from __future__ import annotations

from typing import Any, Final

_COMMA: Final = 44
_DOT: Final = 46
_NEWLINE: Final = 10
_RETURN: Final = 13
_ZERO: Final = 48
NO_ROW: Final = 0xFFFF
# Where each field (pc sid bg bank row col) stands in the second word of a record.
_SHIFTS: Final = (8, 16, 24, 32, 48, 40)
_ROW: Final = 4


def parse(buffer: Any, names: Any, codes: Any, use: Any, limits: Any, words: Any, lines: Any, progress: Any) -> bool:
    """Read lines until the end (return False), or until one that only the exact reader may judge (return True).

    `progress`: position of the next line, commands so far, number of the next line, time of the last command.
    """
    size = len(buffer)
    pos = progress[0]
    count = progress[1]
    line = progress[2]
    last = progress[3]
    strange = False
    while pos < size:
        p = pos
        # cycle
        time = 0
        digits = 0
        while p < size and _ZERO <= buffer[p] <= _ZERO + 9 and digits < 17:
            time = time * 10 + (buffer[p] - _ZERO)
            digits += 1
            p += 1
        time *= 2
        if p + 1 < size and buffer[p] == _DOT and (buffer[p + 1] == _ZERO or buffer[p + 1] == _ZERO + 5):
            if buffer[p + 1] == _ZERO + 5:
                time += 1
            p += 2
        if digits == 0 or p >= size or buffer[p] != _COMMA or time < last:
            strange = True
            break
        p += 1
        # command
        name = 0
        length = 0
        while p < size and buffer[p] != _COMMA and length < 7:
            letter = buffer[p]
            if 97 <= letter <= 122:
                letter -= 32
            name = name << 8 | letter
            length += 1
            p += 1
        code = 0
        for k in range(len(names)):
            if names[k] == name:
                code = codes[k]
                break
        if code == 0 or p >= size or buffer[p] != _COMMA:
            strange = True
            break
        word = code
        # the six address fields
        for field in range(6):
            p += 1
            kind = use[code * 6 + field]
            value = 0
            digits = 0
            if kind == 0:
                while p < size and buffer[p] != _COMMA and buffer[p] != _NEWLINE:
                    p += 1
            else:
                while p < size and _ZERO <= buffer[p] <= _ZERO + 9 and digits < 9:
                    value = value * 10 + (buffer[p] - _ZERO)
                    digits += 1
                    p += 1
                if digits == 0:
                    if kind == 1:
                        strange = True
                        break
                    value = NO_ROW if kind == 2 else 0
                elif value >= limits[field]:
                    strange = True
                    break
                if field == 5 and p < size and buffer[p] == _RETURN:
                    p += 1
            if field < 5:
                if p >= size or buffer[p] != _COMMA:
                    strange = True
                    break
            elif p < size and buffer[p] != _NEWLINE:
                strange = True
                break
            word |= value << _SHIFTS[field]
        if strange:
            break
        words[2 * count] = time
        words[2 * count + 1] = word
        lines[count] = line
        last = time
        count += 1
        line += 1
        pos = p + 1
    progress[0] = pos
    progress[1] = count
    progress[2] = line
    progress[3] = last
    return strange
