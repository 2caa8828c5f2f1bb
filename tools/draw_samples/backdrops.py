"""The backdrops that the pictures share."""

from __future__ import annotations

from drawing import AMBER, RED, SKY, WHITE, bricks, hills, lights, planks

EVENING = hills(
    (252, 170, 110), (250, 214, 150), [(150, 96, 110), (96, 60, 92), (52, 36, 66)], sun=(255, 236, 190)
)
MOUNTAINS = hills((108, 168, 230), (214, 232, 246), [(130, 150, 180), (80, 110, 120), (52, 92, 60)])
FOREST = hills((150, 200, 190), (210, 230, 200), [(50, 120, 80), (26, 92, 54), (14, 60, 34)])
FIELDS = hills((130, 186, 240), (226, 238, 248), [(160, 178, 120), (122, 158, 78), (96, 132, 56)])
STAGE = lights((26, 8, 50), (70, 14, 70), [(255, 80, 160), (120, 90, 255), AMBER])
ARENA = lights((16, 20, 34), (44, 34, 40), [AMBER, (255, 240, 210), RED])
STREET = lights((14, 20, 44), (52, 40, 60), [AMBER, (255, 120, 80), (120, 190, 255)])
HALL = lights((210, 214, 222), (160, 168, 182), [WHITE, SKY, (240, 220, 190)], count=40)
WALL = bricks((168, 92, 70), (206, 196, 184))
PALE_WALL = bricks((222, 212, 190), (186, 176, 158), brick=(180, 96))
TILES = bricks((196, 214, 220), (150, 168, 176), brick=(120, 80))
TABLE = planks((150, 104, 66))
DARK_TABLE = planks((88, 62, 48))
