-- Takes the effects of a lane that are due, each for the length of a lease.
--
-- KEYS  1 lane:L   2 lane:L:fence
-- ARGV  1 skew, ms   2 lease, ms   3 most   4 prefix of the lane's effect keys
-- Answer  { now, { member, body, generation, attempts, fence, since, due }, ... }
--
-- A claim moves the score to the end of the lease, so another claim comes only when this one was lost. A fence is
-- never given twice: an effect that is settled is gone, and one put anew under its name must not take the old hand for its own.
-- A counter that is none begins anew: it could be neither compared with nor counted on, so its effect would come back at once for ever.

local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000) + ARGV[1]
local due = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', string.format('%.0f', now), 'WITHSCORES', 'LIMIT', 0, ARGV[3])
local answer = { string.format('%.0f', now) }
for at = 1, #due, 2 do
  local effect = ARGV[4] .. due[at]
  local fields = redis.call('HMGET', effect, 'body', 'generation', 'attempts', 'since')
  if fields[1] then
    for place, name in pairs({ [2] = 'generation', [3] = 'attempts' }) do
      if not string.match(fields[place] or '', '^%d+$') then
        redis.call('HSET', effect, name, 0)
        fields[place] = '0'
      end
    end
    local fence = redis.call('INCR', KEYS[2])
    redis.call('HSET', effect, 'fence', fence)
    local leased = string.format('%.0f', now + ARGV[2])
    redis.call('HSET', effect, 'leased', leased)
    redis.call('ZADD', KEYS[1], leased, due[at])
    answer[#answer + 1] = { due[at], fields[1], fields[2], fields[3], tostring(fence), fields[4], due[at + 1] }
  else
    redis.call('ZREM', KEYS[1], due[at])
  end
end
return answer
