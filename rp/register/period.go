package register

import "time"

// period is when something of a record is, was or will be so (FHIR R4, Period). A
// zero start is the beginning of time, a zero end the end of it.
type period struct {
	start time.Time
	end   time.Time // the first instant after it
}

// covers reports whether the period has begun and is not over.
func (p period) covers(at time.Time) bool { return p.begun(at) && !p.over(at) }

func (p period) begun(at time.Time) bool { return !at.Before(p.start) }

func (p period) over(at time.Time) bool { return !p.end.IsZero() && !at.Before(p.end) }

// unreadable is when something ended whose end can't be read: long ago. A contact
// that ended at some time is not one to prove anything by.
var unreadable = time.Unix(0, 0)

// periodOf reads the period of n under that name. A day that an end names belongs
// to it, as do the month and the year of a partial date.
func (r *reading) periodOf(n node, name string) period {
	var p period
	said := r.object(n, name)
	if text := r.text(said, "start"); text != "" {
		p.start, _ = instants(text) // what can't be read began at some time
	}
	if text := r.text(said, "end"); text != "" {
		if _, p.end = instants(text); p.end.IsZero() {
			p.end = unreadable
		}
	}
	return p
}

// instants returns the first instant of a FHIR date or dateTime and the first one
// after it; zero if it is neither.
func instants(text string) (first, after time.Time) {
	for _, form := range []struct {
		layout              string
		years, months, days int
	}{
		{time.DateOnly, 0, 0, 1},
		{"2006-01", 0, 1, 0},
		{"2006", 1, 0, 0},
		{time.RFC3339, 0, 0, 0},
		{"2006-01-02T15:04:05", 0, 0, 0},
	} {
		if at, err := time.Parse(form.layout, text); err == nil {
			return at, at.AddDate(form.years, form.months, form.days)
		}
	}
	return time.Time{}, time.Time{}
}
