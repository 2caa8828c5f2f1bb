"""What stands outside: road and street signs, shop fronts, boards of stations; and two views."""

from __future__ import annotations

from backdrops import EVENING, FIELDS, FOREST, HALL, MOUNTAINS, PALE_WALL, STREET, WALL
from drawing import AMBER, BLACK, BROWN, CREAM, GREEN, NAVY, RED, WHITE, Panel, Scene, Writing, bricks

SIGNS = (
    Scene(
        "river_sign.jpg",
        FOREST,
        [
            Panel(
                [
                    Writing("AMAZON RAINFOREST", 40, CREAM, "Serif-Bold"),
                    Writing("MANAUS 12 KM", 32, CREAM, "Serif-Bold"),
                ],
                BROWN,
                angle=2,
                post=(70, 46, 30),
                hatch=(82, 53, 33),
            )
        ],
    ),
    Scene(
        "state_line.jpg",
        FIELDS,
        [
            Panel(
                [
                    Writing("WELCOME TO", 32, WHITE),
                    Writing("GEORGIA", 66, WHITE, "Serif-Bold"),
                    Writing("STATE OF ADVENTURE", 26, AMBER),
                ],
                (18, 78, 140),
                border=WHITE,
                post=(128, 128, 128),
                angle=-2,
            )
        ],
    ),
    Scene(
        "mountain_road.jpg",
        MOUNTAINS,
        [
            Panel(
                [Writing("TBILISI 48", 46, WHITE), Writing("KAZBEGI 105", 46, WHITE)],
                GREEN,
                border=WHITE,
                post=(120, 124, 128),
                width=420,
                align="left",
                angle=1,
            )
        ],
    ),
    Scene(
        "shop_front.jpg",
        WALL,
        [
            Panel([Writing("APPLE STORE", 52, BLACK)], WHITE, width=520, centre=(0.5, 0.25)),
            Panel(
                [Writing("GRAND OPENING", 36, WHITE), Writing("REGENT STREET", 32, WHITE)],
                (70, 76, 88),
                angle=-4,
                centre=(0.52, 0.65),
                width=380,
            ),
        ],
    ),
    Scene(
        "street_sign.png",
        PALE_WALL,
        [
            Panel(
                [
                    Writing("ABBEY ROAD NW8", 48, BLACK, "Serif-Bold"),
                    Writing("CITY OF WESTMINSTER", 30, RED, "Serif-Bold"),
                ],
                WHITE,
                border=BLACK,
                corner=4,
                width=520,
            )
        ],
    ),
    Scene(
        "platform.jpg",
        HALL,
        [
            Panel(
                [
                    Writing("BERLIN HAUPTBAHNHOF", 42, WHITE),
                    Writing("ICE 1004 MÜNCHEN", 32, WHITE, "SansMono-Bold"),
                    Writing("GLEIS 5", 32, AMBER),
                ],
                (14, 46, 130),
                align="left",
                width=560,
                corner=4,
                angle=-1.5,
            )
        ],
    ),
    Scene(
        "museum_banner.jpg",
        bricks((120, 126, 140), (98, 102, 114), brick=(160, 80)),
        [
            Panel(
                [
                    Writing("VAN GOGH", 62, NAVY, "Serif-Bold"),
                    Writing("MUSEUM AMSTERDAM", 34, NAVY),
                    Writing("SUNFLOWERS", 30, BROWN),
                ],
                (248, 200, 50),
                angle=-2,
                air=50,
                centre=(0.5, 0.5),
                corner=2,
            )
        ],
    ),
    Scene(
        "marquee.jpg",
        STREET,
        [
            Panel(
                [
                    Writing("LINCOLN CENTER", 54, RED),
                    Writing("THE MAGIC FLUTE", 44, BLACK),
                    Writing("SOLD OUT", 36, BLACK),
                ],
                (255, 246, 214),
                border=AMBER,
                width=560,
                angle=-1,
            )
        ],
    ),
    Scene(
        "station_tokyo.jpg",
        HALL,
        [
            Panel(
                [Writing("TOKYO STATION", 50, WHITE), Writing("Marunouchi North Exit", 32, WHITE)],
                (16, 120, 80),
                width=520,
                corner=6,
                angle=1.5,
            )
        ],
    ),
    Scene("sunset.jpg", EVENING),
    Scene("lake.jpg", MOUNTAINS),
)
