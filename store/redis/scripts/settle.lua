-- Ends a claim: the effect is done, or is to be tried again.
--
-- KEYS  1 lane:L   2 effect:L:K
-- ARGV  1 skew, ms   2 member   3 generation   4 fence   5 try again in, ms ('' : done)
-- Answer  'done' | 'again' (it was put anew meanwhile) | 'later' | 'lost' (somebody else has claimed it, or it is gone)

local fields = redis.call('HMGET', KEYS[2], 'generation', 'fence')
if not fields[1] or fields[2] ~= ARGV[4] then return 'lost' end
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000) + ARGV[1]
redis.call('HDEL', KEYS[2], 'leased')
if fields[1] ~= ARGV[3] then
  redis.call('ZADD', KEYS[1], string.format('%.0f', now), ARGV[2])
  return 'again'
end
if ARGV[5] == '' then
  redis.call('ZREM', KEYS[1], ARGV[2])
  redis.call('DEL', KEYS[2])
  return 'done'
end
redis.call('HINCRBY', KEYS[2], 'attempts', 1)
redis.call('ZADD', KEYS[1], string.format('%.0f', now + ARGV[5]), ARGV[2])
return 'later'
