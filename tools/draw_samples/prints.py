"""What is held in a hand or hangs on a wall: tickets, posters, papers, shirts, screens."""

from __future__ import annotations

from backdrops import ARENA, DARK_TABLE, HALL, STAGE, TABLE, TILES, WALL
from drawing import AMBER, BLACK, BROWN, CREAM, NAVY, RED, SKY, WHITE, Panel, Scene, Writing, lights, planks

PRINTS = (
    Scene(
        "scoreboard.jpg",
        ARENA,
        [
            Panel(
                [
                    Writing("FINAL", 30, RED),
                    Writing("CHICAGO BULLS  98", 42, AMBER, "SansMono-Bold"),
                    Writing("NEW YORK KNICKS  91", 42, AMBER, "SansMono-Bold"),
                ],
                BLACK,
                angle=-3,
                border=(90, 90, 96),
            )
        ],
    ),
    Scene(
        "concert_poster.jpg",
        STAGE,
        [
            Panel(
                [
                    Writing("TONIGHT LIVE", 30, AMBER),
                    Writing("PARIS JACKSON", 54, WHITE, "Serif-Bold"),
                    Writing("WEMBLEY ARENA, LONDON", 28, WHITE),
                ],
                (96, 18, 78),
                angle=4,
                air=44,
                centre=(0.5, 0.5),
                border=AMBER,
            )
        ],
    ),
    Scene(
        "parcel.jpg",
        DARK_TABLE,
        [
            Panel(
                [
                    Writing("AMAZON.COM", 40, BLACK),
                    Writing("FRAGILE", 48, RED),
                    Writing("SEATTLE WA 98109", 26, BLACK, "SansMono-Bold"),
                ],
                (206, 166, 116),
                angle=-6,
                air=36,
                centre=(0.5, 0.5),
                corner=4,
                hatch=(200, 158, 108),
            )
        ],
    ),
    Scene(
        "jersey.jpg",
        TILES,
        [
            Panel(
                [Writing("KANE", 62, NAVY), Writing("9", 150, NAVY), Writing("ENGLAND", 30, RED)],
                WHITE,
                width=360,
                corner=30,
                sleeves=True,
                air=14,
                hatch=(238, 238, 236),
                centre=(0.5, 0.5),
                angle=3,
            )
        ],
    ),
    Scene(
        "ticket.jpg",
        TABLE,
        [
            Panel(
                [
                    Writing("WASHINGTON NATIONALS", 36, NAVY),
                    Writing("VS NEW YORK METS", 32, NAVY),
                    Writing("NATIONALS PARK", 26, RED),
                    Writing("SEC 114  ROW C  SEAT 7", 22, BLACK, "SansMono-Bold"),
                ],
                CREAM,
                angle=4,
                border=RED,
                corner=8,
            )
        ],
    ),
    Scene(
        "newspaper.jpg",
        DARK_TABLE,
        [
            Panel(
                [
                    Writing("The Harbour Gazette", 34, BLACK, "Serif-Bold"),
                    Writing("ANGELA MERKEL", 54, BLACK, "Serif-Bold"),
                    Writing("VISITS OSLO", 54, BLACK, "Serif-Bold"),
                    Writing("Crowds line the harbour all day", 24, BLACK, "Serif"),
                ],
                (232, 230, 222),
                angle=-4,
                air=30,
                centre=(0.5, 0.5),
                corner=2,
                width=540,
            )
        ],
    ),
    Scene(
        "book_cover.jpg",
        planks((168, 132, 96)),
        [
            Panel(
                [
                    Writing("VIRGINIA WOOLF", 42, CREAM, "Serif-Bold"),
                    Writing("To the Lighthouse", 40, AMBER, "Serif-BoldItalic"),
                    Writing("NOVEL", 22, CREAM, "Serif-Bold"),
                ],
                (34, 86, 96),
                angle=9,
                air=56,
                centre=(0.5, 0.5),
                corner=6,
                border=CREAM,
                width=400,
            )
        ],
    ),
    Scene(
        "boarding_pass.png",
        TABLE,
        [
            Panel(
                [
                    Writing("BOARDING PASS", 24, (90, 90, 96)),
                    Writing("QANTAS  QF2", 42, RED),
                    Writing("LONDON to SYDNEY", 40, BLACK),
                    Writing("GATE B38  SEAT 41K", 26, BLACK, "SansMono-Bold"),
                ],
                WHITE,
                angle=-5,
                align="left",
                width=500,
            )
        ],
    ),
    Scene(
        "race_bib.jpg",
        lights((120, 160, 200), (90, 120, 90), [WHITE, (200, 230, 160), SKY]),
        [
            Panel(
                [
                    Writing("BOSTON MARATHON", 38, WHITE),
                    Writing("4711", 120, AMBER),
                    Writing("HOPKINTON", 28, WHITE),
                ],
                NAVY,
                angle=-3,
                air=18,
                corner=6,
            )
        ],
    ),
    Scene(
        "badge.jpg",
        HALL,
        [
            Panel(
                [
                    Writing("PYCON PORTUGAL", 40, WHITE),
                    Writing("Maria Silva", 52, AMBER),
                    Writing("SPEAKER", 30, WHITE),
                ],
                (30, 100, 130),
                angle=5,
                air=24,
                width=400,
                corner=22,
            )
        ],
    ),
    Scene(
        "chalkboard.jpg",
        WALL,
        [
            Panel(
                [
                    Writing("TRATTORIA FIRENZE", 40, WHITE, "Serif-BoldItalic"),
                    Writing("Ribollita 9.50", 30, CREAM, "Serif-Italic"),
                    Writing("Bistecca 28", 30, CREAM, "Serif-Italic"),
                    Writing("Gelato 4", 30, CREAM, "Serif-Italic"),
                ],
                (36, 44, 42),
                border=BROWN,
                angle=2,
                air=24,
                width=440,
            )
        ],
    ),
)
