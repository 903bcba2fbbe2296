package courier

import (
	"fmt"
	"slices"
	"strings"
)

// shortestName is the least of a name that still tells who: below it the name is
// left out.
const shortestName = 8

// text words one SMS: lines in lang, filled with values, and last the line that
// binds a code to our address, so that a browser fills it in there and nowhere
// else ("@host #code", the WICG's origin-bound one-time codes). What does not fit
// in one segment is cut from the organisation's name, see [signature].
func (c *Courier) text(lines []string, lang string, values map[string]string) (string, error) {
	last := ""
	if code := values["code"]; code != "" {
		last = "\n@" + c.host + " #" + code
	}
	bare, err := filled(lines, values, "")
	if err != nil {
		return "", err
	}
	used, ok := septets(bare + last)
	if !ok {
		return "", fmt.Errorf("text: wanted letters of a text message alone, got others")
	}
	free := segment - used
	if slices.Contains(lines, "{from}") {
		free-- // the end of its line
	}
	from := signature(c.names[lang], free)
	if from == "" && !slices.Contains(lines, "{from}") {
		return "", fmt.Errorf("text: wanted room for a name in %d septets, got %d", segment, free)
	}
	out, err := filled(lines, values, from)
	if n, _ := septets(out + last); n > segment {
		return "", fmt.Errorf("text: wanted at most %d septets, got %d", segment, n)
	}
	return out + last, err
}

// filled puts the values and the name into the lines; a line of the name alone
// falls away with it.
func filled(lines []string, values map[string]string, from string) (string, error) {
	var out []string
	for _, line := range lines {
		if line == "{from}" && from == "" {
			continue
		}
		withName := map[string]string{"from": from}
		for name, v := range values {
			withName[name] = v
		}
		text, err := fill(line, withName)
		if err != nil {
			return "", err
		}
		out = append(out, text)
	}
	return strings.Join(out, "\n"), nil
}

// signature writes who a text is from within that many septets: the names joined,
// whole where they fit. Else each is cut at its words; a name that needs less than
// its share leaves the rest to the other. If a cut name would be shorter than
// [shortestName], there is none.
func signature(names []string, room int) string {
	const between = " / "
	room -= len(between) * (len(names) - 1)
	left := len(names)
	shortestFirst := slices.Clone(names)
	slices.SortStableFunc(shortestFirst, func(a, b string) int {
		x, _ := septets(a)
		y, _ := septets(b)
		return x - y
	})
	cuts := map[string]string{}
	for _, name := range shortestFirst {
		share := room / left
		short := cut(name, share)
		if short != name && share < shortestName || short == "" {
			return ""
		}
		n, _ := septets(short)
		cuts[name], room, left = short, room-n, left-1
	}
	var out []string
	for _, name := range names {
		out = append(out, cuts[name])
	}
	return strings.Join(out, between)
}
