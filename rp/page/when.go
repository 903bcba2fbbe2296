package page

import (
	"fmt"
	"strconv"
	"strings"
	"time"
	_ "time/tzdata" // pages write the time of the United Kingdom also where the system has no zone files
)

// loadZone returns the zone that every page's times are written in.
func loadZone() (*time.Location, error) {
	zone, err := time.LoadLocation("Europe/London")
	if err != nil {
		return nil, fmt.Errorf("time zone: %w", err)
	}
	return zone, nil
}

// day writes a calendar day as it stands in t: 21 November 2026. A birth date
// must not move with a time zone, so t keeps its own.
func (v *voice) day(t time.Time) string {
	return fmt.Sprintf("%d %s %d", t.Day(), v.months[t.Month()-1], t.Year())
}

// date writes the day of an instant in the United Kingdom.
func (v *voice) date(t time.Time) string { return v.day(t.In(v.zone)) }

// clock writes the time of an instant in the United Kingdom as the NHS style
// guide does: 3:05pm, 3pm, and midday and midnight in words, since nobody agrees
// on what 12am is.
func (v *voice) clock(t time.Time) (string, error) {
	t = t.In(v.zone)
	switch {
	case t.Minute() != 0:
		return t.Format("3:04pm"), nil
	case t.Hour() == 12:
		return v.plain("clock.midday")
	case t.Hour() == 0:
		return v.plain("clock.midnight")
	}
	return t.Format("3pm"), nil
}

// moment writes day and time: 21 November 2026 at 3:05pm.
func (v *voice) moment(t time.Time) (string, error) {
	clock, err := v.clock(t)
	if err != nil {
		return "", err
	}
	return v.plain("clock.moment", "date", v.date(t), "time", clock)
}

// lengths are the units that lasts counts in, the longest first.
var lengths = []struct {
	unit time.Duration
	name string
}{
	{365 * 24 * time.Hour, "year"},
	{24 * time.Hour, "day"},
	{time.Hour, "hour"},
	{time.Minute, "minute"},
}

// lasts writes how long something lasts in the longest unit that counts it
// without a remainder, rounded down to whole minutes. Zero and less last until
// the browser is closed, as a cookie without an end does.
func (v *voice) lasts(d time.Duration) (string, error) {
	if d < time.Minute {
		return v.plain("lasts.browser")
	}
	d = d.Truncate(time.Minute)
	for _, l := range lengths {
		if d%l.unit == 0 {
			n := int(d / l.unit)
			return v.plain("lasts."+l.name+"."+plural(n), "n", strconv.Itoa(n))
		}
	}
	return v.plain("lasts.browser") // unreachable: whole minutes divide by a minute
}

// plural names the form of a counted noun that our languages tell apart.
func plural(n int) string {
	switch n {
	case 1:
		return "one"
	case 2:
		return "two"
	}
	return "many"
}

// readMonths takes the twelve names from their text.
func readMonths(s string) ([]string, error) {
	months := strings.Fields(s)
	if len(months) != 12 {
		return nil, fmt.Errorf("month.names: wanted 12, got %d", len(months))
	}
	return months, nil
}
