-- Lists what is due.
--
-- KEYS  1 due
-- ARGV  1 skew, ms   2 most
-- Answer  { now, member, when, member, when, ... }

local time = redis.call('TIME')
local now = string.format('%.0f', time[1] * 1000 + math.floor(time[2] / 1000) + ARGV[1])
local found = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', now, 'WITHSCORES', 'LIMIT', 0, ARGV[2])
table.insert(found, 1, now)
return found
