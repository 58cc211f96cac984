--+ ended
-- Ends a claim: the effect is done, or is to be tried again.
--
-- KEYS  1 lane:L   2 effect:L:K
-- ARGV  1 skew, ms   2 member   3 generation   4 fence   5 try again in, ms ('' : done)
-- Answer  as `ended`

local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000) + ARGV[1]
return ended(KEYS[1], KEYS[2], now, ARGV[2], ARGV[3], ARGV[4], ARGV[5])
