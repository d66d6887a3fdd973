#!/usr/bin/env python3
"""Makes the golden rows into seeds for rows_fuzz: usage: rows_seeds.py FOLDER"""

import os
import sys

GOLDEN = os.path.join(os.path.dirname(__file__), "..", "unit", "rows", "golden_v1.txt")
# As in enum RowKind of recode.h; what is not named is a future. 8 is a key.
KINDS = {"input": 1, "members": 2, "request": 3, "marks": 4, "function": 5, "header": 6, "namespace": 7}


def main():
    os.makedirs(sys.argv[1], exist_ok=True)
    with open(GOLDEN, encoding="ascii") as golden:
        for line in golden:
            if line.startswith("#") or not line.strip():
                continue
            name, key, value = line.split()
            for kind, row, suffix in ((KINDS.get(name, 0), value, "row"), (8, key, "key")):
                with open(os.path.join(sys.argv[1], f"{name}.{suffix}"), "wb") as seed:
                    seed.write(bytes([kind]) + bytes.fromhex(row))


if __name__ == "__main__":
    main()
