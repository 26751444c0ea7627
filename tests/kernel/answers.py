"""answers: what of a log counts as a module's answers, and what its source says about that. Used by ask-linux and compare."""
import re

BOOT = re.compile(r"^[ *]*Boot: (.*?)\s*$", re.M)
PARAMETERS = re.compile(r"^[ *]*Parameters: (.*?)\s*$", re.M)
KEEP = re.compile(r"^[ *]*Keep: (.*?)\s*$", re.M)


def boot_arguments(source):
    """The kernel arguments that the module asks for; an empty string if none."""
    return " ".join(BOOT.findall(source.read_text()))


def parameters(source):
    """What the module is to be told when it is loaded, a word each: name=value or name; "..." is around blanks."""
    return re.findall(r'(?:[^\s"]|"[^"]*")+', " ".join(PARAMETERS.findall(source.read_text())))


def kept(source, lines):
    """The answers in a log, in order: lines that begin with "ask: ", and matches of the module's Keep patterns; of a
    pattern with groups, the groups, one behind the other."""
    patterns = [re.compile(pattern) for pattern in KEEP.findall(source.read_text())]
    found = []
    for line in lines:
        if line.startswith("ask: "):
            found.append(line.rstrip())
            continue
        for pattern in patterns:
            match = pattern.search(line)
            if match:
                found.append("report: " + ("".join(match.groups()) or match.group()))
                break
    return found
