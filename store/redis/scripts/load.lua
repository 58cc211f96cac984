--+ world
-- Reads everything that one decision on a request looks at.
--
-- KEYS  1 request:R   2 debt:R   3 policy   4 command:C
-- ARGV  1 skew, ms   2 prefix of all keys   3 most siblings
-- Answer  a world

local time = redis.call('TIME')
local now = string.format('%.0f', time[1] * 1000 + math.floor(time[2] / 1000) + ARGV[1])
return world(now, KEYS[1], KEYS[2], KEYS[3], KEYS[4], ARGV[2], tonumber(ARGV[3]))
