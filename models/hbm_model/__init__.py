"""The golden model of an HBM channel: specification tables, legality checker, memory and exact controller."""
