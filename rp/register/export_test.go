package register

import (
	"context"
	"time"
)

// SetSleep changes how waiting is done.
func (p *PDS) SetSleep(sleep func(context.Context, time.Duration) error) { p.sleep = sleep }

// SetWithin shortens how long a conversation may take.
func (p *PDS) SetWithin(d time.Duration) { p.within = d }
