#!/usr/bin/env bash
# man.sh PROGRAM VERSION: writes PROGRAM's manual page to standard output. It is made from the output of --help, which consists of a
# sentence, the ways to call the program (lines that begin with its name), then flags, each followed by its text, and paragraphs
# about anything else.
set -euo pipefail

program=$1 version=$2
installed=$(basename "$program")
"$program" --help | awk -v installed="$installed" -v version="$version" -v day="$(date --utc --date="@${SOURCE_DATE_EPOCH:-0}" +%F)" '
  # Returns the text in a form that troff prints unchanged: a leading . or quote is no macro, and a minus can be copied.
  function shown(text) {
    gsub(/\\/, "\\e", text)
    gsub(/-/, "\\-", text)
    return text ~ /^[.\x27]/ ? "\\&" text : text
  }
  BEGIN { short = installed; sub(/^cotangent-/, "", short) }
  NR == 1 {
    sentence = $0
    sub(/\.$/, "", sentence)
    print ".TH " toupper(installed) " 1 " day " \"Cotangent " version "\" \"User Commands\""
    print ".SH NAME\n" installed " \\- " shown(tolower(substr(sentence, 1, 1)) substr(sentence, 2))
    next
  }
  /^ *$/ { if (section != "") paragraph = 1; next }
  {
    line = $0
    sub(/^ +/, "", line)
    if ((line ~ "^" short "( |$)") && section != "OPTIONS") {
      if (section == "") print ".SH SYNOPSIS"; else print ".br"
      section = "SYNOPSIS"
      print ".B " installed "\n" shown(substr(line, length(short) + 2))
    } else if (match(line, /^--?[^ ]*( [A-Z]+)?( +|$)/)) {
      if (section != "OPTIONS") print ".SH OPTIONS"
      section = "OPTIONS"
      flag = substr(line, 1, RLENGTH)
      sub(/ +$/, "", flag)
      print ".TP\n.B " shown(flag) "\n" shown(substr(line, RLENGTH + 1))
      paragraph = 0
    } else {
      if (section == "" || section == "SYNOPSIS") { print ".SH DESCRIPTION"; section = "DESCRIPTION" }
      else if (paragraph) print ".PP"
      paragraph = 0
      print shown(line)
    }
  }
  END { print ".SH SEE ALSO\n/usr/share/doc/cotangent/README.md" }'
