"""Made-up sensors, checks, alarms and a conversation for the pictures of the documentation."""

from __future__ import annotations

import math
import random
from array import array
from itertools import count

from msgspec.structs import replace

from core.alarms.rules import effective_rules, rule_for
from core.alarms.texts import alarm_text, name_of, unit_of
from core.config.settings import CheckConfig, RoomSettings, SensorConfig
from core.language import language
from core.records import CommandProgress, CommandRequest, CommandResult, CommandState, SeriesPoints
from core.services.chat_posts import ChatPosts
from core.site_records import (
    Alarm,
    AlarmSeverity,
    AlarmState,
    ChatKind,
    ChatLine,
    CheckResult,
    CheckState,
    IntakeReport,
    ListenerState,
    RoomReport,
    SensorBatch,
    SensorMeasure,
)
from gui.main_window import MainWindow
from gui.pages.alarms import AlarmsPage
from gui.pages.room import RoomPage
from gui.pages.sensors import SensorsPage

OPERATOR = "ana"
HOT = "capteur_7"
SILENT = "capteur_12"
SILENT_S = 49 * 60.0
LOW_ALARM = 223
HOT_ALARM = 231
HOT_SINCE_S = 760.0
MINUTE = 60.0

# id, English and French name and place, quantity, value, swing, limits
SENSORS = (
    ("capteur_1", ("Hall", "Hall"), ("Ground floor", "Rez-de-chaussée"), "temperature_c", 20.4, 0.6, (16, 26)),
    ("capteur_2", ("Office 1", "Bureau 1"), ("First floor", "1er étage"), "temperature_c", 21.7, 0.5, (17, 27)),
    ("capteur_3", ("Office 2", "Bureau 2"), ("First floor", "1er étage"), "temperature_c", 22.3, 0.7, (17, 27)),
    ("capteur_4", ("Lab", "Labo"), ("First floor", "1er étage"), "temperature_c", 23.1, 0.9, (17, 27)),
    ("capteur_4", ("Lab", "Labo"), ("First floor", "1er étage"), "humidity_percent", 44.0, 3.0, None),
    ("capteur_5", ("Archive", "Archives"), ("Basement", "Sous-sol"), "humidity_percent", 51.0, 2.0, (35, 60)),
    ("capteur_6", ("Cold store", "Chambre froide"), ("Basement", "Sous-sol"), "temperature_c", 3.8, 0.5, (1, 6)),
    (HOT, ("Server room", "Salle des serveurs"), ("Basement", "Sous-sol"), "temperature_c", 24.2, 0.4, (16, 27)),
    ("capteur_8", ("Boiler room", "Chaufferie"), ("Basement", "Sous-sol"), "pressure_bar", 1.62, 0.04, (1, 2.5)),
    ("capteur_9", ("Roof", "Toit"), ("Outside", "Extérieur"), "temperature_c", 8.6, 1.2, None),
    ("capteur_10", ("Workshop", "Atelier"), ("Ground floor", "Rez-de-chaussée"), "co2_ppm", 684.0, 90.0, None),
    (SILENT, ("Car park", "Parking"), ("Outside", "Extérieur"), "temperature_c", 7.9, 0.4, (-10, 40)),
)

# name, target, groups, latency, days of the certificate, error
CHECKS = (
    ("intranet", "https://intranet.example.org/", ("core",), 23.0, 74.0, None),
    ("shop", "https://shop.example.org/", (), 187.0, 9.4, None),
    ("mail", "mail.example.org:587", ("infra",), 12.0, None, None),
    ("ntp", "10.0.1.1", ("infra",), 0.6, None, None),
    ("backup", "10.0.9.4:22", (), None, None, ("nothing listens on 10.0.9.4:22", "rien n’écoute sur 10.0.9.4:22")),
    ("gateway", "10.0.1.254", (), 0.4, None, None),
)

# number, rule, source, quantity, value, limit, minutes ago and lasted, state, operator, comment in both languages
ALARMS = (
    (233, "cpu high", "machine/srv-db", "cpu_percent", 92.4, 90, 1.5, None, AlarmState.ACTIVE, None, None),
    (232, "disk full", "machine/nas", "disk_percent:/srv", 97.2, 97, 6, None, AlarmState.ACTIVE, None, None),
    (HOT_ALARM, "sensor value", f"sensor/{HOT}", "temperature_c", 28.4, 27, HOT_SINCE_S / 60, None,
     AlarmState.ACTIVE, None, None),
    (230, "machine offline", "machine/lab-04", None, None, None, 18, None, AlarmState.ACKNOWLEDGED, "karim",
     ("I go and look", "j’y vais")),
    (229, "machine offline", "machine/lab-03", None, None, None, 18.2, None, AlarmState.ACKNOWLEDGED, "karim",
     ("same socket", "même prise")),
    (228, "sensor silent", f"sensor/{SILENT}", None, 300, None, 44, None, AlarmState.ACTIVE, None, None),
    (234, "consumption peak", "meter/E450 principal", "active_power_peak_ratio", 2.6, 2.5, 45, 3, AlarmState.RESOLVED,
     None, None),
    (227, "check failed", "check/backup", None, None, None, 52, None, AlarmState.ACTIVE, None, None),
    (226, "certificate", "check/shop", "certificate_days", 9.4, 14, 310, None, AlarmState.ACKNOWLEDGED, OPERATOR,
     ("ordered on Friday", "commandé vendredi")),
    (225, "voltage", "meter/E450 principal", "voltage_l2_v", 253.6, 253, 95, 4, AlarmState.RESOLVED, None, None),
    (224, "memory high", "machine/srv-web-02", "memory_percent", 91.3, 90, 130, 22, AlarmState.RESOLVED, "sonia",
     ("restarted nginx", "nginx redémarré")),
    (223, "disk nearly full", "machine/lab-11", "disk_percent:/home", 92.0, 90, 200, 61, AlarmState.IGNORED,
     OPERATOR, ("scratch disk", "disque de travail")),
    (222, "frequency", "meter/E450 principal", "frequency_hz", 49.44, 49.5, 640, 1, AlarmState.RESOLVED, None, None),
    (221, "sensor value", f"sensor/{HOT}", "temperature_c", 27.6, 27, 1560, 35, AlarmState.RESOLVED, OPERATOR,
     ("door was open", "porte ouverte")),
    (214, "sensor value", f"sensor/{HOT}", "temperature_c", 28.1, 27, 4520, 52, AlarmState.RESOLVED, None, None),
)  # fmt: skip

# minutes ago, author, English and French text, link
CONVERSATION = (
    (64, "sonia", ("Good morning. I take the lab today.", "Bonjour. Je prends le labo aujourd’hui."), None),
    (61, OPERATOR, ("Morning! Updates of lab-01 to lab-12 are planned for noon.",
                    "Bonjour ! Les mises à jour de lab-01 à lab-12 sont prévues à midi."), None),
    (55, "sonia", ("Fine. Is the course in room 2 over by then? They use lab-09 and lab-10.",
                   "Bien. Le cours de la salle 2 sera fini ? Ils utilisent lab-09 et lab-10."), None),
    (54, OPERATOR, ("Yes, it ends at half past eleven.", "Oui, il finit à onze heures et demie."), None),
    (50, "vigie", ("backup: the host was moved to the other rack last night, its port is closed for now.",
                   "backup : l’hôte a changé de baie cette nuit, son port est fermé pour l’instant."), "alarm/227"),
    (48, OPERATOR, ("Thank you, I leave the alarm open until it is back.",
                    "Merci, je laisse l’alarme ouverte jusqu’à son retour."), None),
    (17, "karim", ("lab-03 and lab-04 went at the same moment, same socket strip. I go and look.",
                   "lab-03 et lab-04 sont partis au même moment, même multiprise. J’y vais."), "machine/lab-04"),
    (15, "sonia", ("Thanks. The others of the row answer.", "Merci. Les autres de la rangée répondent."), None),
    (11, "sonia", ("@ana the server room is warming up, is the air conditioning on?",
                   "@ana la salle des serveurs chauffe, la climatisation marche ?"), None),
    (9, OPERATOR, ("It is off. I called the caretaker, he is on his way.",
                   "Elle est arrêtée. J’ai appelé le gardien, il arrive."), None),
    (6, "karim", ("Found it.", "Trouvé."), None),
    (4, "sonia", ("@karim and the certificate of the shop? Nine days left.",
                  "@karim et le certificat de la boutique ? Il reste neuf jours."), "alarm/226"),
    (3, OPERATOR, ("Ordered, it comes today.", "Commandé, il arrive aujourd’hui."), None),
    (2, "karim", ("The strip was switched off. Both come back now.",
                  "La multiprise était éteinte. Les deux reviennent."), None),
)  # fmt: skip


def said(texts: tuple[str, str]) -> str:
    """The text in the language of the picture."""
    return texts[language() == "fr"]


def sensor_value(sensor: tuple, back_s: float) -> float:
    """What a sensor said so long ago; the hot one climbs."""
    name, *_words, quantity, value, swing, _limits = sensor
    phase = sum(map(ord, name + quantity))
    noise = math.sin(phase + 12.9898 * (back_s // 15)) * 43758.5453 % 1 - 0.5
    found = value + swing * math.sin(back_s / 2300 + phase) + 0.12 * swing * noise
    return found + (6 * (1 - math.exp((back_s - 1500) / 1000)) if name == HOT and back_s < 1500 else 0)


def fill_sensors(page: SensorsPage, now_s: float) -> None:
    """Twelve sensors and an hour of each: one beyond its limit, one silent."""
    page.set_configs(
        [
            SensorConfig(
                id=name,
                name=said(title),
                place=said(place),
                unit="%" if quantity == "humidity_percent" else "bar" if quantity == "pressure_bar" else None,
                low=None if limits is None else limits[0],
                high=None if limits is None else limits[1],
                silent_after_s=300,
            )
            for name, title, place, quantity, _value, _swing, limits in SENSORS
            if (name, quantity) != ("capteur_4", "humidity_percent")
        ]
    )
    for back_s in range(3600, 0, -15):
        measures = [
            SensorMeasure(
                sensor=sensor[0],
                quantity=sensor[3],
                value=sensor_value(sensor, back_s),
                time_s=now_s - back_s + 12,
                unit=sensor_unit(sensor[3]),
            )
            for sensor in SENSORS
            if sensor[0] != SILENT or back_s > SILENT_S
        ]
        page.apply_batch(SensorBatch(measures=tuple(measures)))

    def tell(request_id: int, name: str, quantity: str, start_s: float, end_s: float) -> None:
        page.apply_points(sensor_points(name, quantity, start_s, end_s, now_s), request_id)

    page.history_wanted.connect(tell)
    page.apply_report(
        IntakeReport(time_s=now_s, state=ListenerState.LISTENING, address="0.0.0.0:17452", links=11, messages=48_230)
    )


def sensor_points(name: str, quantity: str, start_s: float, end_s: float, now_s: float) -> SeriesPoints:
    """The past of a sensor as the history would tell it."""
    sensor = next(one for one in SENSORS if (one[0], one[3]) == (name, quantity))
    end_s = min(end_s, now_s - (SILENT_S if name == SILENT else 3))
    times = array("d", [start_s + 15 * step for step in range(max(0, int((end_s - start_s) / 15) + 1))])
    values = array("d", [sensor_value(sensor, now_s - at) for at in times])
    return SeriesPoints(
        name=f"sensor/{name}/{quantity}",
        unit=sensor_unit(quantity),
        time_s=times,
        minimum=values,
        mean=values,
        maximum=values,
    )


def sensor_unit(quantity: str) -> str | None:
    """Unit of what a sensor says."""
    return {"co2_ppm": "ppm", "pressure_bar": "bar"}.get(quantity) or unit_of(quantity)


def fill_checks(window: MainWindow, now_s: float) -> None:
    """Six checks: one failed, one whose certificate ends soon."""
    window.model.set_checks(
        CheckConfig(name=name, target=target, groups=groups) for name, target, groups, *_found in CHECKS
    )
    window.model.apply_checks(
        CheckResult(
            check=name,
            target=target,
            state=CheckState.OK if error is None else CheckState.FAILED,
            time_s=now_s - random.uniform(2, 50),
            status=200 if target.startswith("http") else None,
            latency_ms=latency_ms,
            certificate_days=days,
            error=None if error is None else said(error),
        )
        for name, target, _groups, latency_ms, days, error in CHECKS
    )


def made_up_alarms(now_s: float) -> list[Alarm]:
    """Alarms of all severities and states, in the words of the engine."""
    titles = {f"sensor/{sensor[0]}": said(sensor[1]) for sensor in SENSORS}
    sensors = [SensorConfig(id=one, low=16, high=27, silent_after_s=300) for one in (HOT, SILENT)]
    rules = effective_rules((), sensors)
    found = []
    for number, name, source, quantity, value, limit, ago, lasted, state, operator, comment in ALARMS:
        rule = rule_for(rules, name, source)
        since_s = now_s - ago * MINUTE
        until_s = since_s + lasted * MINUTE if lasted is not None else None
        error = next((check[5] for check in CHECKS if f"check/{check[0]}" == source), None)
        reason = said(error) if error is not None else None
        unit = "s" if name == "sensor silent" else unit_of(quantity)
        title = titles.get(source) or name_of(source)
        found.append(
            Alarm(
                id=number,
                source=source,
                rule=name,
                severity=rule.severity if number != LOW_ALARM else AlarmSeverity.LOW,
                state=state,
                since_s=since_s,
                changed_s=until_s or since_s + 40,
                text=alarm_text(rule, source, title, quantity, value, limit, unit, reason),
                quantity=quantity,
                value=value,
                threshold=limit,
                unit=unit,
                until_s=until_s,
                operator=operator,
                comment=None if comment is None else said(comment),
            )
        )
    return found


def fill_alarms(window: MainWindow, page: AlarmsPage, now_s: float) -> None:
    """The alarms in page, Overview and status bar; the hot sensor's is chosen, with its curve and its past."""
    alarms = made_up_alarms(now_s)

    def tell_curve(request_id: int, alarm: Alarm, start_s: float, end_s: float) -> None:
        if alarm.source == f"sensor/{HOT}":
            page.apply_points(request_id, sensor_points(HOT, "temperature_c", start_s, end_s, now_s))

    def tell_rings(request_id: int, alarm: Alarm) -> None:
        same = [one for one in alarms if (one.source, one.rule) == (alarm.source, alarm.rule)]
        page.apply_rings(request_id, sorted(same, key=lambda one: -one.since_s))

    page.curve_wanted.connect(tell_curve)
    page.rings_wanted.connect(tell_rings)
    page.model.set_names({f"sensor/{sensor[0]}": said(sensor[1]) for sensor in SENSORS})
    page.apply(alarms)
    page.filter.show_state("all")
    page.show_alarm(HOT_ALARM)
    still_open, counts = page.model.open_alarms(), page.model.counts()
    active = sum(alarm.state is AlarmState.ACTIVE for alarm in still_open)
    window.set_count("alarms", len(still_open))
    window.overview.apply_alarms(still_open, counts)
    window.status_line.apply_alarms(counts, active, is_silent=False)


def fill_room(page: RoomPage, now_s: float) -> None:
    """A conversation, an alarm and a command posted in it, in the words of the program."""
    numbers = count(1)

    def add(back_s: float, author: str, text: str, kind: ChatKind, link: str | None) -> None:
        lines.append(
            ChatLine(
                id=f"l{next(numbers)}",
                room="general",
                author=author,
                text=text,
                time_s=now_s - back_s,
                kind=kind,
                link=link,
            )
        )

    lines: list[ChatLine] = []
    page.set_operator(OPERATOR)
    for minutes, name in ((66, "sonia"), (62, OPERATOR), (56, "vigie"), (19, "karim")):
        add(minutes * MINUTE, name, "", ChatKind.JOINED, None)
    for minutes, author, text, link in CONVERSATION:
        add(minutes * MINUTE, author, said(text), ChatKind.MESSAGE, link)
    for back_s, text, kind, link in _posts(now_s):
        add(back_s, "", text, kind, link)
    for alarm in made_up_alarms(now_s):
        page.note_severity(alarm.id, alarm.severity)
    page.apply_past("general", sorted(lines, key=lambda line: line.time_s))
    page.add_rooms(["lab", "night"] if language() == "en" else ["labo", "nuit"])
    page.apply_report(
        RoomReport(
            time_s=now_s,
            state=ListenerState.LISTENING,
            address="0.0.0.0:17453",
            present={"general": (OPERATOR, "karim", "sonia", "vigie")},
        )
    )


def _posts(now_s: float) -> list[tuple[float, str, ChatKind, str | None]]:
    """(seconds ago, text, kind, link) of what the program itself posts."""
    found: list[tuple[float, str, ChatKind, str | None]] = []

    def poster(back_s: float) -> ChatPosts:
        settings = RoomSettings(post_alarms=AlarmSeverity.MEDIUM, post_commands=True)
        clock = count(0.0, 60.0)
        return ChatPosts(settings, lambda *post: found.append((back_s, *post)), monotonic=lambda: next(clock))

    posted = {alarm.id: alarm for alarm in made_up_alarms(now_s)}
    for number in (229, HOT_ALARM, 233):
        posts = poster(now_s - posted[number].since_s)
        # what rings is posted before somebody acknowledges it
        posts.put(replace(posted[number], state=AlarmState.ACTIVE))
        posts.post_due()
    posts = poster(13 * MINUTE)
    machines = tuple(f"lab-{number:02}" for number in range(1, 13))
    request = CommandRequest(
        id="r", words=("uptime",), machines=machines, timeout_s=30, operator="sonia", time_s=now_s - 780
    )
    posts.put(request)
    for name in machines:
        state = CommandState.OFFLINE if name in ("lab-03", "lab-04", "lab-05") else CommandState.OK
        result = CommandResult(machine=name, state=state, duration_s=0.03)
        posts.put(CommandProgress(id="r", result=result, is_last=name == machines[-1]))
    posts.post_due()
    return found
