-- How a claim ends; a script that begins with "--+ ended" has this in front.
--
-- ended(lane, effect, now, member, generation, fence, try again in, ms ('' : done))
-- Answer  'done' | 'again' (it was put anew meanwhile) | 'later' | 'lost' (somebody else has claimed it, or it is gone)

local function ended(lane, effect, now, member, generation, fence, again)
  local fields = redis.call('HMGET', effect, 'generation', 'fence')
  if not fields[1] or fields[2] ~= fence then return 'lost' end
  redis.call('HDEL', effect, 'leased')
  if fields[1] ~= generation then
    redis.call('ZADD', lane, string.format('%.0f', now), member)
    return 'again'
  end
  if again == '' then
    redis.call('ZREM', lane, member)
    redis.call('DEL', effect)
    return 'done'
  end
  redis.call('HINCRBY', effect, 'attempts', 1)
  redis.call('ZADD', lane, string.format('%.0f', now + again), member)
  return 'later'
end
