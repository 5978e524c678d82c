"""A small real table for learners who have none at hand: planets, with the troubles of a file from an office program.

It has semicolons, decimal commas, dates, words and gaps. Masses in 10²⁴ kg, diameters in km, distances from the sun in
10⁶ km, temperatures in °C. Source: NASA planetary fact sheets and JPL small-body data base.
"""

from __future__ import annotations

import hashlib

NAME = "planets.csv"

TEXT = """\
name;kind;mass;diameter;distance;temperature;moons;discovered;rings
Mercury;rocky;0,330;4879;57,9;167;0;;no
Venus;rocky;4,87;12104;108,2;464;0;;no
Earth;rocky;5,97;12756;149,6;15;1;;no
Mars;rocky;0,642;6792;228,0;-65;2;;no
Jupiter;gas giant;1898;142984;778,5;-110;95;;yes
Saturn;gas giant;568;120536;1432,0;-140;146;;yes
Uranus;ice giant;86,8;51118;2867,0;-195;28;1781-03-13;yes
Neptune;ice giant;102;49528;4515,0;-200;16;1846-09-23;yes
Ceres;dwarf;0,00094;939;413,7;-105;0;1801-01-01;no
Pluto;dwarf;0,0130;2376;5906,4;-225;5;1930-02-18;no
Makemake;dwarf;;1430;6796;;1;2005-03-31;no
Eris;dwarf;0,0166;2326;10125;;1;2005-01-05;no
"""

CONTENT = TEXT.encode()
ID = hashlib.sha256(CONTENT).hexdigest()
DATA = f"upload:{ID}"
